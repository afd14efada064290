// What the pointer does on the image: brush, eraser, and moving it.

const at = (id) => document.getElementById(id);

export class Painter {
  // `canStart` is asked before a stroke; `changed` is told after one that changed the mask.
  constructor({ mask, view, stage, sheet, canStart, changed }) {
    Object.assign(this, { mask, view, stage, sheet, canStart, changed });
    this.brushClass = 1;
    this.drag = null; // where the image was taken to be moved
    const { canvas } = mask;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(kind, () => this.#up());
    }
    document.querySelectorAll("input[name=tool]").forEach((choice) => {
      choice.addEventListener("change", () => this.#apply());
    });
    at("size").addEventListener("input", () => this.#apply());
    this.#apply();
  }

  get tool() {
    return document.querySelector("input[name=tool]:checked").value;
  }

  get size() {
    return at("size").valueAsNumber;
  }

  choose(tool) {
    document.querySelector(`input[name=tool][value=${tool}]`).checked = true;
    this.#apply();
  }

  chooseClass(id) {
    this.brushClass = id;
    this.choose("brush");
  }

  resize(factor) {
    at("size").value = factor > 1 ? Math.ceil(this.size * factor) : Math.floor(this.size * factor);
    this.#apply();
  }

  #apply() {
    this.sheet.classList.toggle("paint", this.tool !== "move");
    at("size-shown").textContent = `${this.size} px`;
  }

  #down(event) {
    if (event.button || !event.isPrimary || !this.mask.ids) return;
    if (this.tool === "move") {
      if (event.pointerType !== "mouse") return; // the browser scrolls
      this.drag = [event.clientX + this.stage.scrollLeft, event.clientY + this.stage.scrollTop];
    } else if (this.canStart()) {
      this.mask.begin();
      this.#paintTo(event);
    } else return;
    this.mask.canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
    this.stage.focus({ preventScroll: true });
  }

  #move(event) {
    this.#showBrush(event);
    if (this.drag) {
      this.stage.scrollLeft = this.drag[0] - event.clientX;
      this.stage.scrollTop = this.drag[1] - event.clientY;
    } else if (this.mask.stroke && event.isPrimary) {
      const events = event.getCoalescedEvents?.() ?? [];
      (events.length ? events : [event]).forEach((one) => this.#paintTo(one));
    }
  }

  #up() {
    this.drag = null;
    if (this.mask.end()) this.changed();
  }

  #paintTo(event) {
    const id = this.tool === "erase" ? 0 : this.brushClass;
    this.mask.paintTo(this.view.place(event), id, this.size);
  }

  // A circle of the size of the brush at the pointer.
  #showBrush(event) {
    const [x, y] = this.view.place(event);
    const { width, height } = this.view;
    const { style } = at("brush");
    style.left = `${(100 * x) / width}%`;
    style.top = `${(100 * y) / height}%`;
    style.width = `${(100 * this.size) / width}%`;
    style.height = `${(100 * this.size) / height}%`;
  }
}
