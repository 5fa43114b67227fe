// What stands on the card at the pointer: the frame there, its time, and the scores of the curves.
(() => {
  const one = (selector) => document.querySelector(selector);

  function tile(seconds) {
    const sheet = one("#thumbnails img");
    const picture = document.createElement("div");
    if (!sheet) return picture;
    const { times, columns, width, height } = JSON.parse(sheet.dataset.sheet);
    let nearest = 0;
    times.forEach((time, place) => {
      if (Math.abs(time - seconds) < Math.abs(times[nearest] - seconds)) nearest = place;
    });
    const left = (nearest % columns) * width;
    const top = Math.floor(nearest / columns) * height;
    picture.className = "tile";
    picture.style.cssText = `width:${width}px;height:${height}px;background:url(${sheet.src}) -${left}px -${top}px`;
    return picture;
  }

  function line(text, colour) {
    const row = document.createElement("span");
    row.textContent = text;
    if (colour) row.style.setProperty("--swatch", colour);
    return row;
  }

  // A curve's name as it was typed; for plotly it is escaped.
  const typed = (name) => new DOMParser().parseFromString(name, "text/html").documentElement.textContent;

  function fillCard(card, points) {
    const words = points.map((point) => point.customdata).sort((a, b) => b.length - a.length)[0];
    card.replaceChildren(
      tile(points[points.length - 1].x),
      line(words),
      ...points.map((point) => {
        const name = points.length > 1 ? ` ${typed(point.data.name)}` : " score";
        return line(`${point.y.toFixed(2)}${name}`, point.fullData.line.color);
      }),
    );
  }

  Object.assign((window.grounding ??= {}), { fillCard });
})();
