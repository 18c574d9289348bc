// A page that is opened where its stage wrote it (…/report/night.html) finds its links and plotly in the site; and every table that
// is wider than its place says so.
(function () {
  "use strict";
  var SITE = "../../site/";
  window.atHome = !/\/report\/(night|quality|selection|training)\.html$/.test(location.pathname);
  if (!window.atHome)
    Array.prototype.forEach.call(document.querySelectorAll("a[href]"), function (link) {
      var target = link.getAttribute("href");
      if (/^[\w.-]+\.(html|json)(#.*)?$/.test(target)) link.setAttribute("href", SITE + target);
    });

  // Calls `then` once plotly is there, or with nothing where it is neither beside the page nor in the site.
  window.withPlotly = function (then) {
    var beside = document.querySelector("script[src]");
    if (window.Plotly || window.atHome || !beside) return then(window.Plotly);
    var other = document.createElement("script");
    other.src = SITE + beside.getAttribute("src");
    other.onload = other.onerror = function () {
      then(window.Plotly);
    };
    document.head.append(other);
  };

  function measure() {
    Array.prototype.forEach.call(document.querySelectorAll(".scroll"), function (place) {
      place.classList.toggle("wider", place.scrollWidth > place.clientWidth + 1);
    });
  }
  function soon() {
    requestAnimationFrame(measure);
  }
  window.addEventListener("load", soon);
  window.addEventListener("resize", soon);
  window.addEventListener("hashchange", soon);
  document.addEventListener("toggle", soon, true);
  document.addEventListener("click", soon);
})();
