// All code at once, and the code of the cell that a link leads to. Without this script each code opens by itself.
const codes = document.querySelectorAll("details.code"), toggle = document.getElementById("code-toggle");
toggle.hidden = false;
toggle.addEventListener("click", () => {
  const show = toggle.getAttribute("aria-pressed") !== "true";
  codes.forEach(code => { code.open = show; });
  toggle.setAttribute("aria-pressed", String(show));
});
const openTarget = () => {
  const cell = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const code = cell && cell.querySelector(":scope > details.code");
  if (code) code.open = true;
};
window.addEventListener("hashchange", openTarget);
openTarget();
