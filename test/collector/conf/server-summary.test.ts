import { expect, test } from "vitest";
import { readConfig } from "../../../collector/conf/load.ts";

const CONF = `virtual_server 10.99.0.100 80 {
    lb_algo wrr
    delay_loop 5
    real_server 10.99.0.21 8080 {
        weight 3
        TCP_CHECK {
        }
    }
}
`;

test("a configuration is told with what is behind each virtual server, for comparison", () => {
  const { body } = readConfig(
    "/etc/keepalived/keepalived.conf",
    { read: () => CONF, glob: () => [] },
    { configId: "test" },
  );
  const [service] = body.kind === "config.loaded" ? (body.services ?? []) : [];
  expect(service).toMatchObject({ line: 1 });
  expect(service?.name).toContain("10.99.0.100");
  expect(service?.settings).toContainEqual({ of: "lb_algo", is: "wrr" });
  expect(service?.settings).toContainEqual({ of: "delay_loop", is: "5 s" });
  expect(service?.settings.find(({ of }) => of.startsWith("real_server"))?.is).toBe("weight 3, TCP_CHECK");
});
