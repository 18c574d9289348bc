// The page: draws its sections from the JSON that it carries, and one search over all of them. `/` goes to the search, Escape
// leaves it, Enter opens the first column found; pointing at a trend reads a night.
(function () {
  "use strict";
  var query = document.getElementById("query");
  lsml.search = function () {
    var words = query.value.toLowerCase().split(/\s+/).filter(Boolean),
      said = [];
    function hit(row) {
      return words.every(function (word) {
        return row.text.indexOf(word) >= 0;
      });
    }
    lsml.lists.forEach(function (list) {
      var hits = list.rows.filter(hit).length;
      list.rows.forEach(function (row) {
        row.element.hidden = words.length ? !hit(row) : Boolean(list.hide && list.hide(row));
        if (row.panel) row.panel.hidden = row.element.hidden;
      });
      if (words.length) said.push(lsml.count(hits) + " " + list.name + (hits === 1 ? "" : "s"));
    });
    var text = words.length ? said.join(", ") : "";
    if (document.getElementById("hits").textContent !== text) document.getElementById("hits").textContent = text;
  };
  query.addEventListener("input", lsml.search);
  query.addEventListener("keydown", function (event) {
    if (event.key === "Enter") {
      var first = lsml.lists[0].rows.filter(function (row) {
        return !row.element.hidden;
      })[0];
      if (first) {
        event.preventDefault();
        if (location.hash === "#column-" + first.index) lsml.follow();
        else location.hash = "column-" + first.index;
      }
    } else if (event.key === "Escape") {
      query.value = "";
      lsml.search();
      query.blur();
    }
  });
  document.addEventListener("keydown", function (event) {
    var typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      query.focus();
      query.select();
    }
    if (event.key === "Escape" && !typing && lsml.opened()) {
      var row = lsml.opened();
      location.hash = "columns";
      row.anchor.focus();
    }
  });
  document.addEventListener("pointermove", function (event) {
    var drawn = event.target.closest && event.target.closest("svg.trend");
    if (!drawn || !drawn.lsmlTell) return;
    var box = drawn.getBoundingClientRect(),
      around = drawn.closest(".panel, .day");
    var words = drawn.lsmlTell(Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)));
    var tell = around && around.querySelector(".tell");
    if (tell) tell.textContent = words;
    drawn.parentNode.title = words;
  });

  var quality = JSON.parse(document.getElementById("quality").textContent);
  quality.columns.forEach(function (column) {
    // figures by name again
    var listed = column.figures;
    column.figures = {};
    quality.metrics[column.kind].forEach(function (metric, place) {
      if (listed[place] !== null) column.figures[metric] = listed[place];
    });
  });
  lsml.quality = quality;
  lsml.nights = quality.nights;
  lsml.digits = quality.digits;
  lsml.width = quality.usual.width;
  lsml.midnight = Date.parse(quality.date + "T00:00:00Z");
  lsml.columns();
  lsml.checks();
  lsml.keys();
  lsml.labels();
})();
