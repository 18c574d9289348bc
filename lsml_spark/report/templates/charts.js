// Draws every [data-chart] from the JSON of that id. Colours are names ("@model") of CSS variables, so that dark mode and
// print redraw from the same data; without plotly the tables are opened instead.
(function () {
  "use strict";
  var places = Array.prototype.slice.call(document.querySelectorAll("[data-chart]"));
  var root = document.documentElement;

  function colour(name) {
    return name.charAt(0) === "@" ? getComputedStyle(root).getPropertyValue("--" + name.slice(1)).trim() : name;
  }

  // Only the values under a colour key are names; a key of the data that starts with "@" stays what it is.
  function coloured(value) {
    if (Array.isArray(value)) return value.map(coloured);
    if (value === null || typeof value !== "object") return value;
    var copy = {};
    Object.keys(value).forEach(function (key) {
      var item = value[key];
      copy[key] = /color$/.test(key) && typeof item === "string" ? colour(item) : coloured(item);
    });
    return copy;
  }

  function axis(given) {
    var base = {
      automargin: true, gridcolor: "@grid", linecolor: "@grid", zeroline: false, fixedrange: true,
      title: { standoff: 8 }, tickfont: { color: "@quiet" }
    };
    Object.keys(given || {}).forEach(function (key) { base[key] = given[key]; });
    base.title = { text: (given && given.title && given.title.text) || "", standoff: 8, font: { color: "@quiet", size: 13 } };
    return base;
  }

  function draw(place) {
    var spec = JSON.parse(document.getElementById(place.dataset.chart).textContent);
    var narrow = place.clientWidth < 480;
    var layout = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: false, hovermode: "closest",
      margin: { l: narrow ? 44 : 60, r: 20, t: 12, b: 52 }, autosize: true,
      font: { family: getComputedStyle(document.body).fontFamily, size: narrow ? 12 : 13, color: "@ink" },
      hoverlabel: { bgcolor: "@card", bordercolor: "@quiet", font: { color: "@ink" }, align: "left" },
      legend: { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom", font: { color: "@ink" } },
      xaxis: axis(spec.layout.xaxis), yaxis: axis(spec.layout.yaxis)
    };
    var config = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false, showTips: false };
    var words = place.querySelector(".fallback");
    if (words) words.remove();
    window.Plotly.react(place, coloured(spec.data), coloured(layout), config);
  }

  function all() { places.forEach(draw); }

  if (places.length) window.withPlotly(start);

  function start(plotly) {
    if (!plotly) {
      places.forEach(function (place) {
        var table = place.closest("figure").querySelector("details");
        if (table) table.open = true;
      });
      return;
    }
    all();
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
    window.addEventListener("beforeprint", function () { root.classList.add("paper"); all(); });
    window.addEventListener("afterprint", function () { root.classList.remove("paper"); all(); });
  }
})();
