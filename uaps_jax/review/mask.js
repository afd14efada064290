// The mask that is painted: class ids, a byte for each pixel, drawn on a canvas in their colours.

const MOST_UNDONE = 50; // strokes

const clamp = (value, size) => Math.min(Math.max(value, 0), size);

export class Mask {
  // Of a canvas; `colours` is class id -> [red, green, blue]. The background is transparent.
  constructor(canvas, colours) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.colours = colours;
    this.clear();
  }

  // No mask, until one is loaded.
  clear() {
    this.ids = null;
    this.strokes = []; // [indices, former class ids] of each
    this.stroke = null; // the one that is being drawn
    this.last = null; // its last place: [x, y] in pixels
    this.canvas.width = this.canvas.height = 0;
  }

  load(ids, width, height) {
    this.ids = ids;
    this.width = this.canvas.width = width;
    this.height = this.canvas.height = height;
    this.draw(0, 0, width, height);
  }

  get canUndo() {
    return this.strokes.length > 0;
  }

  begin() {
    this.stroke = [[], []];
    this.last = null;
  }

  // Gives the pixels along the line from the last place, as wide as the brush, a class.
  paintTo([x, y], id, size) {
    const [fromX, fromY] = this.last ?? [x, y];
    const steps = Math.max(1, Math.ceil(Math.hypot(x - fromX, y - fromY) / Math.max(0.5, size / 4)));
    const area = [this.width, this.height, 0, 0]; // left, top, right, bottom
    for (let step = this.last ? 1 : steps; step <= steps; step++) {
      const share = step / steps;
      const box = this.#dot(fromX + share * (x - fromX), fromY + share * (y - fromY), id, size / 2);
      for (const side of [0, 1]) area[side] = Math.min(area[side], box[side]);
      for (const side of [2, 3]) area[side] = Math.max(area[side], box[side]);
    }
    this.last = [x, y];
    this.draw(area[0], area[1], area[2] - area[0], area[3] - area[1]);
  }

  // Ends the stroke; returns whether it changed a pixel.
  end() {
    const isChanged = this.stroke !== null && this.stroke[0].length > 0;
    if (isChanged) this.#keep(this.stroke);
    this.stroke = this.last = null;
    return isChanged;
  }

  // Returns whether there was a stroke to undo.
  undo() {
    const undone = this.stroke ? undefined : this.strokes.pop();
    if (!undone) return false;
    const [indices, former] = undone;
    indices.forEach((index, n) => (this.ids[index] = former[n]));
    this.#redraw(indices);
    return true;
  }

  // Takes other class ids as one stroke; returns whether a pixel changed.
  replace(ids) {
    this.begin();
    ids.forEach((id, index) => this.#set(index, id));
    this.#redraw(this.stroke[0]);
    return this.end();
  }

  draw(left, top, width, height) {
    if (width <= 0 || height <= 0) return;
    const data = this.context.createImageData(width, height);
    for (let y = 0, to = 0; y < height; y++) {
      let from = (top + y) * this.width + left;
      for (let x = 0; x < width; x++, from++, to += 4) {
        const id = this.ids[from];
        if (!id) continue;
        const [red, green, blue] = this.colours[id];
        data.data[to] = red;
        data.data[to + 1] = green;
        data.data[to + 2] = blue;
        data.data[to + 3] = 255;
      }
    }
    this.context.putImageData(data, left, top);
  }

  // Draws the smallest box around some pixels.
  #redraw(indices) {
    let [left, top, right, bottom] = [this.width, this.height, 0, 0];
    for (const index of indices) {
      const column = index % this.width;
      const row = (index - column) / this.width;
      left = Math.min(left, column);
      right = Math.max(right, column + 1);
      top = Math.min(top, row);
      bottom = Math.max(bottom, row + 1);
    }
    this.draw(left, top, right - left, bottom - top);
  }

  // A disc of the pixels whose centres are within a radius; of a radius up to 1/2, the pixel itself.
  #dot(x, y, id, radius) {
    const isOne = radius <= 0.5;
    const left = clamp(Math.floor(x - radius), this.width);
    const right = clamp(Math.ceil(x + radius), this.width);
    const top = clamp(Math.floor(y - radius), this.height);
    const bottom = clamp(Math.ceil(y + radius), this.height);
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) {
        const isIn = isOne
          ? row === Math.floor(y) && column === Math.floor(x)
          : Math.hypot(column + 0.5 - x, row + 0.5 - y) <= radius;
        if (isIn) this.#set(row * this.width + column, id);
      }
    }
    return [left, top, right, bottom];
  }

  #set(index, id) {
    const former = this.ids[index];
    if (former === id) return;
    this.stroke[0].push(index);
    this.stroke[1].push(former);
    this.ids[index] = id;
  }

  #keep(stroke) {
    this.strokes.push(stroke);
    if (this.strokes.length > MOST_UNDONE) this.strokes.shift();
  }
}
