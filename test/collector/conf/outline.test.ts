import { expect, test } from "vitest";
import { createOutlines } from "../../../collector/conf/outline.ts";
import type { ConfFiles } from "../../../collector/conf/parser.ts";

const MAIN = "global_defs {\n instance web\n}\ninclude conf.d/*.conf\nvrrp_instance VI_1 {\n interface eth0\n}\n";

function fixture(): { readonly texts: Map<string, string>; readonly files: ConfFiles } {
  const texts = new Map([
    ["/k.conf", MAIN],
    ["/conf.d/a.conf", "bfd_instance b {\n neighbor_ip 10.0.0.2\n}\n"],
  ]);
  return {
    texts,
    files: {
      read: (path) => texts.get(path) ?? { unreadable: `${path} does not exist` },
      glob: () => [...texts.keys()].filter((path) => path.startsWith("/conf.d/")),
    },
  };
}

const keywords = ({ nodes }: ReturnType<ReturnType<typeof createOutlines>>): string[] =>
  nodes.map(({ keyword }) => keyword.text);

test("what an instance holds is left out, what the daemon goes by is not", () => {
  const { files } = fixture();
  const { nodes, files: read } = createOutlines()("/k.conf", files, "lb1");
  expect(keywords({ nodes, files: read })).toEqual(["global_defs", "bfd_instance", "vrrp_instance"]);
  expect(nodes[0]?.children?.[0]?.values[0]?.text).toBe("web");
  expect(nodes[2]?.children).toEqual([]);
  expect(read.map(({ path }) => path)).toEqual(["/k.conf", "/conf.d/a.conf"]);
});

test("it holds for as long as the files read the same", () => {
  const { files, texts } = fixture();
  const outline = createOutlines();
  const first = outline("/k.conf", files, "lb1");
  expect(outline("/k.conf", files, "lb1")).toBe(first);

  texts.set("/conf.d/a.conf", "virtual_server 10.0.0.100 80 {\n}\n");
  expect(keywords(outline("/k.conf", files, "lb1"))).toEqual(["global_defs", "virtual_server", "vrrp_instance"]);
  texts.set("/conf.d/b.conf", "bfd_instance c {\n}\n");
  expect(keywords(outline("/k.conf", files, "lb1"))).toContain("bfd_instance");
  texts.delete("/k.conf");
  expect(outline("/k.conf", files, "lb1").unreadable).toBe("/k.conf does not exist");
});

test("another file, and another name of the node, are read anew", () => {
  const { files, texts } = fixture();
  texts.set("/other.conf", "@lb1 bfd_instance b {\n}\n");
  const outline = createOutlines();
  outline("/k.conf", files, "lb1");
  expect(keywords(outline("/other.conf", files, "lb1"))).toEqual(["bfd_instance"]);
  expect(keywords(outline("/other.conf", files, "lb2"))).toEqual([]);
});
