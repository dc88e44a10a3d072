import { createHash } from "node:crypto";
import { addressOf, managementAddressOf } from "../network.ts";
import type { HostSpec, NodeSpec, Side } from "../scenario.ts";

/** Hosts, services and configurations of the classic pair: two balancers with nginx, two backends, a mail server and a client. */

export const VIPS = [addressOf(100), addressOf(101), addressOf(102)] as const;
/** As the log and the events name it. */
export const VIRTUAL_SERVER = `[${VIPS[0]}]:80`;
export const SORRY_SERVER = "[127.0.0.1]:8080";
const MAIL_TO = "ops@example.org";
const MAIL_NUMBER = 31;

export interface Backend {
  readonly name: string;
  readonly address: string;
  /** As the log and the events name it. */
  readonly service: string;
}

export const BACKENDS = [backend("web1", 21), backend("web2", 22)] as const;

function backend(name: string, number: number): Backend & { readonly number: number } {
  const address = addressOf(number);
  return { name, number, address, service: `[${address}]:80` };
}

export const PAGE = "<html><body>Welcome to the shop, release 41</body></html>\n";
export const NEW_PAGE = "<html><body>Welcome to the shop, release 42</body></html>\n";
export const PAGE_PATH = "/var/www/html/index.html";

/** What Debian's unit and init script read, and of it DAEMON_ARGS alone. */
export const OPTIONS_PATH = "/etc/default/keepalived";
/** As in Red Hat's /etc/sysconfig/keepalived. */
export const OPTIONS_LOST = 'KEEPALIVED_OPTIONS="-P -D"\n';

/** What `genhash` prints for the page: MD5 over the body. */
export const PAGE_DIGEST = createHash("md5").update(PAGE).digest("hex");

const NGINX = {
  folders: ["/etc/nginx", "/etc/default", "/var/lib/nginx", "/var/www"],
  services: [["/etc/init.d/nginx", "start"]],
} as const;
/** nginx opens its default log before it has read where else to. */
const NGINX_LOGS = { "/var/log/nginx/error.log": "" } as const;

const NGINX_FRAME = `user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events { worker_connections 256; }
`;

function balancerNginx(node: string): string {
  return `${NGINX_FRAME}
http {
    access_log off;
    upstream shop {
${BACKENDS.map(({ address }) => `        server ${address}:80 max_fails=1 fail_timeout=2s;`).join("\n")}
        server 127.0.0.1:8080 backup;
    }
    server {
        listen 80;
        add_header X-Node ${node} always;
        location / {
            proxy_pass http://shop;
            proxy_connect_timeout 1s;
        }
    }
    server {
        listen 127.0.0.1:8080;
        default_type text/html;
        add_header X-Backend sorry always;
        return 200 "<html><body>Sorry, back soon</body></html>\\n";
    }
}
`;
}

function backendNginx(name: string): string {
  return `${NGINX_FRAME}
http {
    access_log off;
    default_type text/html;
    add_header X-Backend ${name} always;
    server {
        listen 80;
        root /var/www/html;
    }
}
`;
}

/** As the tutorials have it: VI_1, VRID 51, a password of four digits, three addresses. */
function keepalivedConf(name: string, index: number, isStrict: boolean): string {
  return `! Configuration File for keepalived

global_defs {
   notification_email {
     ${MAIL_TO}
   }
   notification_email_from keepalived@${name}.example.org
   smtp_server ${managementAddressOf(MAIL_NUMBER)}
   smtp_connect_timeout 30
   router_id ${name}
${isStrict ? "   vrrp_strict\n" : ""}}

vrrp_script chk_nginx {
    script "/usr/bin/killall -0 nginx"
    interval 2
    weight -20
    fall 2
    rise 2
}

vrrp_instance VI_1 {
    state ${index === 0 ? "MASTER" : "BACKUP"}
    interface eth0
    virtual_router_id 51
    priority ${101 - index}
    advert_int 1
    smtp_alert
    authentication {
        auth_type PASS
        auth_pass 1111
    }
    virtual_ipaddress {
${VIPS.map((vip) => `        ${vip}`).join("\n")}
    }
    track_script {
        chk_nginx
    }
}

virtual_server ${VIPS[0]} 80 {
    delay_loop 2
    lb_algo rr
    lb_kind NAT
    protocol TCP

    sorry_server 127.0.0.1 8080

${BACKENDS.map(({ address }) => realServer(address)).join("\n")}}
`;
}

function realServer(address: string): string {
  return `    real_server ${address} 80 {
        weight 1
        HTTP_GET {
            url {
              path /index.html
              digest ${PAGE_DIGEST}
            }
            connect_timeout 2
            retry 1
            delay_before_retry 1
        }
    }
`;
}

export function balancer(name: string, side: Side, index: number, isStrict: boolean): NodeSpec {
  return {
    name,
    side,
    number: 11 + index,
    start: "init-script",
    keepalivedConf: keepalivedConf(name, index, isStrict),
    ...NGINX,
    files: {
      ...NGINX_LOGS,
      "/etc/nginx/nginx.conf": balancerNginx(name),
      [OPTIONS_PATH]: 'DAEMON_ARGS="-P -D"\n',
    },
  };
}

export const OTHER_HOSTS: readonly HostSpec[] = [
  ...BACKENDS.map(
    ({ name, number }, index): HostSpec => ({
      name,
      side: index === 0 ? "a" : "b",
      number,
      ...NGINX,
      files: { ...NGINX_LOGS, "/etc/nginx/nginx.conf": backendNginx(name), [PAGE_PATH]: PAGE },
    }),
  ),
  { name: "mail", side: "a", number: MAIL_NUMBER },
  { name: "client", side: "b", number: 41 },
];
