// A link to a video opens its part; printing opens all.
function openTarget() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (!(target instanceof HTMLDetailsElement)) return;
  target.open = true;
  target.scrollIntoView();
  target.querySelector("summary").focus({ preventScroll: true });
}

addEventListener("hashchange", openTarget);
// The same link a second time changes no address.
document.addEventListener("click", (event) => {
  const link = event.target instanceof Element && event.target.closest('a[href^="#video-"]');
  if (link && link.hash === location.hash) openTarget();
});
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details.video")) part.open = true;
});
openTarget();
