// Files of any name are taken for videos, and what the page does while it works: cancel, messages, where the keyboard goes.
(() => {
  const one = (selector) => document.querySelector(selector);
  const narrow = matchMedia("(max-width: 700px)"); // as in page.css
  const SETTLED = 3000; // milliseconds in which an answer comes to rest: its plot, its frames
  let asked = null; // what was pressed last, until the visitor moves on: {jumps, before, begun, said}

  // Gradio announces a clip that the browser cannot play as an error; a preview or a message beside the clip follows.
  function hush() {
    for (const toast of document.querySelectorAll(".toast-body")) {
      if (toast.textContent.includes("Video not playable")) toast.querySelector("button.toast-close, .toast-close")?.click();
    }
  }

  // What a file is, its content decides, on the server: a browser knows neither .MTS nor names without a suffix, and
  // Gradio would refuse them by its guess.

  const looksLikeVideo = (file) => file.type.startsWith("video/");
  const asVideo = (file) => (looksLikeVideo(file) ? file : new File([file], file.name, { type: "video/mp4" }));

  function giveAsVideo(input, files) {
    const all = new DataTransfer();
    for (const file of files) all.items.add(asVideo(file));
    input.files = all.files;
  }

  function change(event) {
    if (event.target.matches?.("#clip input[type=file]") && ![...event.target.files].every(looksLikeVideo)) {
      giveAsVideo(event.target, event.target.files);
    }
  }

  function drop(event) {
    const files = [...(event.dataTransfer?.files ?? [])].slice(0, 1);
    const input = one("#clip input[type=file]");
    if (!input || !files.length || !event.target.closest?.("#clip") || files.every(looksLikeVideo)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    giveAsVideo(input, files);
    input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function offerAllFiles() {
    const input = one("#clip input[type=file][accept]");
    input?.removeAttribute("accept");
  }

  // A number of segments beyond the ends of its slider becomes that end: Gradio would answer it with an error.
  function keepInRange(event) {
    const field = event.target;
    if (!field.matches?.("#top-k input[type=number]") || !field.value) return;
    field.value = Math.min(Math.max(field.value, field.min), field.max);
  }

  // Gradio gives each choice of a list a name of its own, so that the arrow keys would not move between them.
  function joinChoices() {
    for (const choice of document.querySelectorAll("input[type=radio]")) {
      const list = choice.closest(".block")?.id;
      if (list && choice.name !== list) choice.name = list;
    }
  }

  // What comes of a question or a cancel is kept in sight below the pinned video: how it goes, then what came of it.
  // After an example or a moment of the library the keyboard goes on from its answer.

  function ask(jumps) {
    asked = { jumps, before: one("#message [role]"), begun: false, said: false };
  }

  function follow() {
    if (!asked) return;
    const working = one("#progress .working");
    const said = one("#message [role]") ?? one("#clip-message [role]");
    asked.begun ||= Boolean(working);
    if (working || said) (working ?? said).closest(".block").scrollIntoView({ block: narrow.matches ? "start" : "nearest" });
    if (working || !said || asked.said || !(asked.begun || said !== asked.before)) return;
    asked.said = true;
    setTimeout((over) => asked === over && moveOn(), SETTLED, asked);
    if (asked.jumps) said.focus({ preventScroll: true });
  }

  function moveOn() {
    asked = null;
  }

  // A question that is put while another is answered comes next, with what the field holds by then.
  let next = null; // {said}, the message when it was put

  function putNext() {
    if (one("#progress .working") && one("#query textarea").value.trim()) next = { said: one("#message [role]") };
    showNext();
  }

  function showNext() {
    const progress = one("#progress");
    if (!progress) return;
    if (!one("#progress .working") || (next && next.said !== one("#message [role]"))) next = null;
    const line = one("#next") ?? Object.assign(document.createElement("p"), { id: "next", role: "status" });
    const text = next ? `Next: “${one("#query textarea").value.trim()}”` : "";
    if (!line.isConnected) progress.append(line);
    if (line.textContent !== text) line.textContent = text;
  }

  // Between the press on Cancel and the server's word on it, the page says so.
  function settle() {
    if (!one("#progress .working")) document.documentElement.classList.remove("stopping");
  }

  const look = () => (hush(), settle(), offerAllFiles(), joinChoices(), showNext(), follow());
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
  new ResizeObserver(follow).observe(document.documentElement); // the answer may move when what is below it comes
  for (const kind of ["pointerdown", "wheel", "touchstart", "keydown"]) document.addEventListener(kind, moveOn, { capture: true, passive: true });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.closest?.("#query")) ask(false), putNext();
  });
  document.addEventListener("input", (event) => event.target.closest?.("#query") && showNext());
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#find, #cancel, #examples button, #library-moments button");
    if (button) ask(!button.id); // those with an id stay where they are, and so does the keyboard
    if (button?.id === "find") putNext();
    if (button?.id === "cancel") document.documentElement.classList.add("stopping");
  });
  document.addEventListener("input", keepInRange, true); // before Gradio reads it
  document.addEventListener("change", change, true);
  document.addEventListener("drop", drop, true);
})();
