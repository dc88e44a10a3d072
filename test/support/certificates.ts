import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** An authority in a folder, and the certificates it signs, made by openssl. */
export class Authority {
  readonly file: string;
  private readonly dir: string;
  private readonly name: string;

  constructor(dir: string, name: string) {
    this.dir = dir;
    this.name = name;
    this.file = join(dir, `${name}.crt`);
    openssl(
      "req",
      "-x509",
      ...NEW_KEY,
      "-keyout",
      join(dir, `${name}.key`),
      "-out",
      this.file,
      "-days",
      "30",
      "-subj",
      `/CN=${name}`,
    );
  }

  /**
   * @param alternative  `DNS:lb1,IP:127.0.0.1`; empty: the common name alone
   * @param days  negative: it has expired
   */
  sign(file: string, name: string, alternative: string, days = 30): { readonly cert: string; readonly key: string } {
    const [cert, key, request, extensions] = ["crt", "key", "csr", "ext"].map((ending) =>
      join(this.dir, `${file}.${ending}`),
    ) as [string, string, string, string];
    writeFileSync(extensions, alternative === "" ? "basicConstraints=CA:FALSE\n" : `subjectAltName=${alternative}\n`);
    openssl("req", ...NEW_KEY, "-keyout", key, "-out", request, "-subj", `/CN=${name}`);
    const until = new Date(Date.now() + days * 86_400_000);
    const from = new Date(Math.min(Date.now(), until.getTime()) - 86_400_000);
    writeFileSync(join(this.dir, "index.txt"), "");
    writeFileSync(join(this.dir, "ca.cnf"), CA_SETTINGS(this.dir));
    const how = ["-batch", "-notext", "-config", join(this.dir, "ca.cnf"), "-extfile", extensions];
    const signer = ["-cert", this.file, "-keyfile", join(this.dir, `${this.name}.key`)];
    const times = ["-startdate", stamp(from), "-enddate", stamp(until)];
    openssl("ca", ...how, ...signer, "-in", request, "-out", cert, ...times);
    return { cert, key };
  }
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
const CA_SETTINGS = (dir: string): string =>
  `[ca]\ndefault_ca = own\n[own]\ndatabase = ${dir}/index.txt\nnew_certs_dir = ${dir}\nserial = ${dir}/serial\nrand_serial = yes\ndefault_md = sha256\npolicy = any\nunique_subject = no\n[any]\ncommonName = supplied\n`;

/** 20261129020000Z */
const stamp = (at: Date): string => `${at.toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}
