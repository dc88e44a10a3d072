import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";

function must(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, [...args], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}

/** Whether this machine lets us mount an image: root, a loop device and mkfs.ext4. */
export function canMountImages(dir: string): boolean {
  try {
    const disk = Disk.make(join(dir, "probe"), 16);
    disk.unmount();
    return true;
  } catch {
    return false;
  }
}

/** An ext4 file system in a file, which can be cut off from its power. */
export class Disk {
  readonly root: string;
  private readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
    this.root = join(dir, "mounted");
  }

  static make(dir: string, mebibytes: number): Disk {
    mkdirSync(join(dir, "mounted"), { recursive: true });
    const disk = new Disk(dir);
    writeFileSync(disk.image, "");
    truncateSync(disk.image, mebibytes * 1024 * 1024);
    must("mkfs.ext4", ["-q", "-F", disk.image]);
    must("mount", ["-o", "loop", disk.image, disk.root]);
    return disk;
  }

  /**
   * What a power cut at this moment would leave: the image as it is, without what the file system has not written yet, mounted
   * at another place, with its journal replayed.
   */
  cut(dir: string): Disk {
    mkdirSync(join(dir, "mounted"), { recursive: true });
    const after = new Disk(dir);
    copyFileSync(this.image, after.image);
    must("mount", ["-o", "loop", after.image, after.root]);
    return after;
  }

  unmount(): void {
    must("umount", ["-l", this.root]);
  }

  private get image(): string {
    return join(this.dir, "image");
  }
}
