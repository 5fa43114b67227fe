// Joins the video and the curve: a playhead, clicks that move the video, the frame at the pointer, segments that loop.
(() => {
  const NUDGE = 0.5; // seconds an arrow key moves the video
  const one = (selector) => document.querySelector(selector);
  const video = () => one("#preview video") ?? one("#clip video");
  const graph = () => one("#plot .js-plotly-plot");
  const bound = new WeakSet(); // graphs that listen; Gradio makes a new one for every figure
  let span = null; // what plays, {start, end}
  let spans = []; // of the active query's segments, [start, end] each
  let under = NaN; // time of the frame at the pointer
  let next = 0; // the coming animation frame
  let seen = null; // name of the last move that the server asked for

  const clock = (seconds) => {
    const tenths = Math.round(seconds * 10);
    const two = (number) => String(Math.floor(number) % 60).padStart(2, "0");
    const rest = `${two(tenths / 10)}.${tenths % 10}`;
    if (tenths < 36000) return `${Math.floor(tenths / 600)}:${rest}`;
    return `${Math.floor(tenths / 36000)}:${two(tenths / 600)}:${rest}`;
  };

  function element(id, parent) {
    const found = one(`#${id}`);
    if (found) return found;
    const made = document.createElement("div");
    made.id = id;
    parent.append(made);
    return made;
  }

  // The video

  function seek(seconds) {
    const player = video();
    if (!player) return;
    span = null;
    player.pause();
    player.currentTime = seconds;
    player.addEventListener("seeked", () => repaint(player, seconds), { once: true });
  }

  // Chromium may show the frame from before a move of a paused video until it moves again: about one time in three.
  function repaint(player, seconds) {
    if (player.paused && Math.abs(player.currentTime - seconds) < 0.01) player.currentTime = seconds + 0.001;
  }

  function play(wanted) {
    const player = video();
    if (!player || !wanted) return;
    span = { start: wanted.start, end: wanted.end };
    player.currentTime = wanted.start;
    player.play().catch(() => {}); // a browser may want another press first
  }

  const isSpan = (wanted) => Boolean(span && wanted) && span.start === wanted.start && span.end === wanted.end;

  // The button: pauses the segment while it plays, and goes on from there.
  function toggle(wanted) {
    const player = video();
    if (!player || !isSpan(wanted)) play(wanted);
    else if (player.paused) player.play().catch(() => {});
    else player.pause();
  }

  function nameToggle() {
    const label = [...(one("#play")?.childNodes ?? [])].find((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (label) label.data = span && video() && !video().paused ? "Pause" : "Play the segment";
  }

  function show(wanted) {
    if (!wanted) return;
    spans = wanted.spans;
    outline(null);
    if (wanted.move === seen) return;
    seen = wanted.move;
    wanted.plays ? play(wanted) : seek(wanted.first);
  }

  // Someone went elsewhere. A page that was busy or hidden may see a segment's end late; that is no such move.
  function leave(player) {
    if (span && (player.currentTime < span.start - NUDGE || player.currentTime > span.end + NUDGE)) span = null;
  }

  // Keeps what plays within its segment: again from its start, or an end.
  function keepWithin(player) {
    if (!span || player.seeking || (player.currentTime < span.end && !player.ended)) return;
    if (one("#loop input")?.checked) play(span);
    else {
      player.pause();
      if (!player.ended) player.currentTime = Math.min(player.currentTime, span.end);
      span = null;
    }
  }

  // The playhead

  // Where the plot's axis lies, as pixels from the left of #plot, and the seconds at its ends.
  function axis() {
    const area = graph()?.querySelector(".nsewdrag");
    const range = graph()?.layout?.xaxis?.range;
    if (!area || !range) return null;
    const box = area.getBoundingClientRect();
    const outer = one("#plot").getBoundingClientRect();
    return { left: box.left - outer.left, top: box.top - outer.top, width: box.width, height: box.height, range };
  }

  function placePlayhead() {
    const player = video();
    const ruler = axis();
    const head = element("playhead", one("#plot"));
    const share = player && ruler ? (player.currentTime - ruler.range[0]) / (ruler.range[1] - ruler.range[0]) : -1;
    head.hidden = !(share >= 0 && share <= 1) || !graph().data.length;
    if (head.hidden) return;
    head.style.left = `${ruler.left + share * ruler.width}px`;
    head.style.top = `${ruler.top}px`;
    head.style.height = `${ruler.height}px`;
    head.setAttribute("aria-valuenow", player.currentTime.toFixed(1));
    head.setAttribute("aria-valuemax", (player.duration || 0).toFixed(1));
    head.setAttribute("aria-valuetext", clock(player.currentTime));
  }

  function preparePlayhead() {
    const head = element("playhead", one("#plot"));
    if (head.role) return;
    head.role = "slider";
    head.tabIndex = 0;
    head.setAttribute("aria-label", "Position in the video");
    head.setAttribute("aria-valuemin", "0");
    head.addEventListener("keydown", (event) => {
      const now = video()?.currentTime ?? 0;
      const end = video()?.duration || 0;
      const to = { ArrowLeft: now - NUDGE, ArrowRight: now + NUDGE, Home: 0, End: end }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      seek(Math.min(Math.max(to, 0), end));
    });
  }

  // With every picture while the video plays, and once for each event that moves it.
  function follow(event) {
    const player = video();
    cancelAnimationFrame(next);
    placePlayhead();
    if (event?.type === "seeked" && player) leave(player);
    nameToggle();
    if (!player || (player.paused && !player.ended)) return;
    keepWithin(player); // a segment may last to the end of the video, which pauses there by itself
    if (!player.paused) next = requestAnimationFrame(() => follow());
  }

  // Another segment, outlined while the list's line is pointed at or has the focus

  function outline(index) {
    const ruler = axis();
    const frame = element("outline", one("#plot"));
    frame.hidden = !ruler || index === null || !spans[index];
    if (frame.hidden) return;
    const [from, to] = spans[index].map((time) => (time - ruler.range[0]) / (ruler.range[1] - ruler.range[0]));
    const left = Math.max(from, 0) * ruler.width;
    frame.style.cssText = `left:${ruler.left + left}px;width:${Math.min(to, 1) * ruler.width - left}px;top:${ruler.top}px;height:${ruler.height}px`;
  }

  function outlineAt(target) {
    const label = target?.closest?.("#segments label");
    outline(label ? [...document.querySelectorAll("#segments label")].indexOf(label) : null);
  }

  // The frame at the pointer

  function peek(points) {
    const ruler = axis();
    const card = element("peek", one("#plot"));
    const active = points[points.length - 1];
    under = active.x;
    window.grounding.fillCard(card, points);
    card.hidden = false;
    const share = (active.x - ruler.range[0]) / (ruler.range[1] - ruler.range[0]);
    const middle = ruler.left + share * ruler.width;
    const most = one("#plot").clientWidth - card.offsetWidth;
    const beside = middle + 14 + card.offsetWidth < one("#plot").clientWidth ? middle + 14 : middle - 14 - card.offsetWidth;
    card.style.left = `${Math.min(Math.max(beside, 0), most)}px`;
    card.style.top = `${ruler.top + 6}px`;
  }

  function release(from, to) {
    if (Math.hypot(to.clientX - from.clientX, to.clientY - from.clientY) > 5) return;
    const { left, width, range } = axis();
    const share = (to.clientX - one("#plot").getBoundingClientRect().left - left) / width;
    if (share < 0 || share > 1) return;
    const exact = range[0] + share * (range[1] - range[0]);
    seek(Math.abs(under - exact) < NUDGE ? under : exact);
  }

  function savePlot() {
    const clip = one("#clip video")?.src.split("/").pop().replace(/\.[^.]*$/, "") || "clip";
    const { data, layout, clientWidth: width } = graph();
    const named = data.map((trace) => ({ ...trace, showlegend: Boolean(trace.customdata) })); // curves, not marks
    const taller = { ...layout, width, height: layout.height + 28 * named.filter((trace) => trace.showlegend).length };
    const picture = { data: named, layout: { ...taller, paper_bgcolor: "white", plot_bgcolor: "white" } };
    window.Plotly.downloadImage(picture, { format: "png", scale: 2, filename: `${decodeURIComponent(clip)}_scores` });
  }

  // Joining

  function bind() {
    nameToggle();
    const plot = graph();
    if (!plot?.on || bound.has(plot)) return;
    bound.add(plot);
    preparePlayhead();
    const hide = () => (element("peek", one("#plot")).hidden = true);
    hide();
    plot.on("plotly_hover", (event) => peek(event.points));
    plot.on("plotly_unhover", hide);
    plot.on("plotly_afterplot", placePlayhead);
    plot.on("plotly_relayout", placePlayhead);
    placePlayhead();
  }

  new MutationObserver(bind).observe(document, { childList: true, subtree: true });
  for (const name of ["play", "seeking", "seeked", "timeupdate", "loadedmetadata", "emptied", "pause"]) {
    document.addEventListener(name, (event) => event.target === video() && graph() && follow(event), true);
  }
  document.addEventListener("click", (event) => {
    const frame = event.target.closest?.(".frame[data-time]");
    if (frame) seek(Number(frame.dataset.time));
  });
  // Not plotly_click: the second of two quick clicks is reported where the first one was.
  let pressed = null;
  document.addEventListener("pointerdown", (event) => (pressed = event.target.closest?.("#plot .nsewdrag") && event), true);
  document.addEventListener("pointerup", (event) => pressed && release(pressed, event), true);
  for (const name of ["pointerover", "focusin"]) document.addEventListener(name, (event) => outlineAt(event.target));
  window.addEventListener("resize", () => graph() && placePlayhead());
  Object.assign((window.grounding ??= {}), { show, toggle, savePlot });
})();
