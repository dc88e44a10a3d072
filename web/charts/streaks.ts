/**
 * A line of pixels for each row, coloured column by column and stretched to the row's height when drawn: tens of thousands
 * of bars a pixel wide cost no more than a few.
 */
export class Streaks {
  private readonly canvas = document.createElement("canvas");
  private readonly ctx = this.canvas.getContext("2d", { willReadFrequently: true });
  private readonly pixelOf = new Map<string, number>();
  private image: ImageData | null = null;
  private pixels = new Uint32Array(0);
  private used: boolean[] = [];

  /** Forgets what was coloured. @param width  columns of a line */
  clear(width: number, lines: number): void {
    if (this.image?.width !== width || this.image.height !== lines) {
      this.canvas.width = width;
      this.canvas.height = lines;
      this.image = this.ctx?.createImageData(width, lines) ?? null;
      this.pixels = new Uint32Array(this.image?.data.buffer ?? new ArrayBuffer(0));
    }
    this.pixels.fill(0);
    this.used = [];
  }

  /** @param pixel  a colour, as {@link pixel} tells it */
  colour(line: number, from: number, to: number, pixel: number): void {
    const begin = line * this.canvas.width;
    for (let at = begin + from; at < begin + to; at += 1) this.pixels[at] = pixel;
    this.used[line] = true;
  }

  /** Makes what was coloured ready to be drawn. */
  finish(): void {
    if (this.image) this.ctx?.putImageData(this.image, 0, 0);
  }

  draw(ctx: CanvasRenderingContext2D, line: number, x: number, y: number, height: number): void {
    if (!this.used[line]) return;
    const { width } = this.canvas;
    ctx.imageSmoothingEnabled = false;
    ctx.drawImage(this.canvas, 0, line, width, 1, x, y, width, height);
  }

  /** A colour of the style sheet as the four bytes of a pixel, whatever their order is on this machine. */
  pixel(colour: string): number {
    const known = this.pixelOf.get(colour);
    if (known !== undefined || !this.ctx) return known ?? 0;
    this.ctx.fillStyle = colour;
    this.ctx.fillRect(0, 0, 1, 1);
    const [pixel = 0] = new Uint32Array(this.ctx.getImageData(0, 0, 1, 1).data.buffer);
    this.pixelOf.set(colour, pixel);
    return pixel;
  }
}
