// Nothing here is essential: the page reads the same without it.
(function () {
  "use strict";
  function reveal() {
    var target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (var at = target; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") { at.open = true; }
    }
    if (target) { target.scrollIntoView(); }
  }
  window.addEventListener("hashchange", reveal);
  if (location.hash) { reveal(); }

  var section = document.getElementById("cells");
  var form = document.createElement("div");
  form.className = "filter";
  var field = document.createElement("input");
  field.type = "search";
  field.placeholder = "Show only attempts with this text";
  field.setAttribute("aria-label", field.placeholder);
  var count = document.createElement("span");
  count.setAttribute("role", "status");
  form.append(field, count);
  section.querySelector("h2").after(form);
  var groups = Array.prototype.slice.call(section.querySelectorAll("details.group"));
  var wait = 0;
  field.addEventListener("input", function () {
    clearTimeout(wait);
    wait = setTimeout(function () {
      var wanted = field.value.trim().toLowerCase();
      var shown = 0;
      groups.forEach(function (group) {
        var any = false;
        group.querySelectorAll("details.cell").forEach(function (cell) {
          var is = !wanted || cell.textContent.toLowerCase().indexOf(wanted) >= 0;
          cell.hidden = !is;
          any = any || is;
          shown += is ? 1 : 0;
        });
        group.hidden = !any;
        if (wanted && any) { group.open = true; }
      });
      count.textContent = wanted ? shown + " shown" : "";
    }, 150);
  });
})();
