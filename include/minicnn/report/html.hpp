#pragma once
/// report.html: one self-contained page about a training run, rewritten after every epoch.

#include <string>
#include <utility>
#include <vector>

#include "minicnn/report/chart.hpp"
#include "minicnn/train/history.hpp"

namespace minicnn::inline MINICNN_ABI {

/// What the page shows. Empty parts are left out.
struct training_report {
  std::string title;
  std::vector<epoch_record> history;
  std::vector<std::string> classes;
  std::vector<std::vector<index_t>> confusion;  ///< rows: true class; of the validation images, best epoch
  index_t best_epoch = 0;                       ///< 0: none
  bool finished = false;
  std::vector<std::pair<std::string, std::string>> settings;  ///< name and value, shown as a table
  std::string command;                                        ///< repeats the run
};

namespace detail {

inline constexpr const char* report_style = R"(
:root{color-scheme:light dark;--bg:#fafaf8;--fg:#1d1f21;--mute:#6b6f76;--line:#dcdcd6;--card:#fff;--s0:#2563c9;--s1:#d9622b;--good:37,99,201;--bad:217,98,43}
@media(prefers-color-scheme:dark){:root{--bg:#16181b;--fg:#e6e7e9;--mute:#9a9fa7;--line:#33373d;--card:#1e2125;--s0:#6ea8ff;--s1:#ff9d66;--good:110,168,255;--bad:255,157,102}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}
main{max-width:1120px;margin:0 auto;padding:24px 16px 64px}h1{font-size:1.5rem;margin:0 0 4px}h2{font-size:1.05rem;margin:0 0 8px}
p.note{color:var(--mute);margin:0 0 20px}.figures{display:flex;flex-wrap:wrap;gap:12px;margin:0 0 20px}
.figure{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 16px;min-width:130px}
.figure b{display:block;font-size:1.35rem;font-variant-numeric:tabular-nums}.figure span{color:var(--mute);font-size:.85rem}
.cards{display:grid;gap:16px;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px;overflow-x:auto}
svg.chart{width:100%;height:auto;display:block}.grid{stroke:var(--line)}.tick{fill:var(--mute);font-size:11px}
polyline{fill:none;stroke-width:2}polyline.s0{stroke:var(--s0)}polyline.s1{stroke:var(--s1)}circle.s0{fill:var(--s0)}circle.s1{fill:var(--s1)}
.key{display:flex;gap:16px;color:var(--mute);font-size:.85rem}.key i{display:inline-block;width:14px;height:3px;margin:0 6px 3px 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}th,td{padding:5px 10px;text-align:right;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}thead th{color:var(--mute);font-weight:500}tr.best td{font-weight:650}
td.cell{text-align:center}code{font:13px/1.5 ui-monospace,monospace;overflow-wrap:anywhere}
#tip{position:fixed;pointer-events:none;background:var(--fg);color:var(--bg);padding:3px 8px;border-radius:6px;font-size:.8rem;display:none}
)";

/// Shows the title of the nearest point of a chart while the pointer moves over it.
inline constexpr const char* report_script = R"(
const tip=document.getElementById('tip');
for(const s of document.querySelectorAll('svg.chart')){
 s.addEventListener('pointermove',e=>{let best=null,d=1e9;
  for(const c of s.querySelectorAll('circle')){const b=c.getBoundingClientRect(),q=Math.hypot(b.x+b.width/2-e.clientX,b.y+b.height/2-e.clientY);if(q<d){d=q;best=c}}
  if(best){tip.textContent=best.querySelector('title').textContent;tip.style.display='block';
   tip.style.left=Math.min(e.clientX+12,innerWidth-tip.offsetWidth-8)+'px';tip.style.top=(e.clientY-34)+'px'}});
 s.addEventListener('pointerleave',()=>tip.style.display='none')}
)";

inline std::string percent(double fraction) { return std::isfinite(fraction) ? fixed(100 * fraction, 2) + " %" : "-"; }

inline std::string figure(const std::string& value, const std::string& name) {
  return text_of("<div class=\"figure\"><b>", html_escape(value), "</b><span>", html_escape(name), "</span></div>");
}

inline std::string card(const chart& c) {
  std::string out = text_of("<section class=\"card\"><h2>", html_escape(c.title), "</h2>", chart_svg(c));
  if (c.series.size() > 1) {
    out += "<div class=\"key\">";
    for (std::size_t i = 0; i < c.series.size(); ++i)
      out += text_of("<span><i style=\"background:var(--s", i, ")\"></i>", html_escape(c.series[i].name), "</span>");
    out += "</div>";
  }
  return out + "</section>";
}

inline std::string confusion_card(const training_report& r) {
  std::string out = "<section class=\"card\"><h2>Confusion matrix (validation; rows: true class)</h2><table><thead><tr><th></th>";
  for (const std::string& name : r.classes) out += "<th>" + html_escape(name) + "</th>";
  out += "<th>correct</th></tr></thead><tbody>";
  for (std::size_t row = 0; row < r.confusion.size(); ++row) {
    index_t total = 0;
    for (const index_t count : r.confusion[row]) total += count;
    out += "<tr><td>" + html_escape(row < r.classes.size() ? r.classes[row] : to_text(row)) + "</td>";
    for (std::size_t column = 0; column < r.confusion[row].size(); ++column) {
      const double share = total > 0 ? static_cast<double>(r.confusion[row][column]) / static_cast<double>(total) : 0;
      out += text_of("<td class=\"cell\" style=\"background:rgba(var(--", row == column ? "good" : "bad", "),",
                     fixed(share * 0.6, 3), ")\">", r.confusion[row][column], "</td>");
    }
    const double correct = total > 0 ? static_cast<double>(r.confusion[row][row]) / static_cast<double>(total) : NAN;
    out += "<td>" + percent(correct) + "</td></tr>";
  }
  return out + "</tbody></table></section>";
}

inline std::string epochs_card(const training_report& r) {
  std::string out =
      "<section class=\"card\"><h2>Epochs</h2><table><thead><tr><th>epoch</th><th>train loss</th><th>train accuracy</th>"
      "<th>val loss</th><th>val accuracy</th><th>learning rate</th><th>images/s</th><th>time</th></tr></thead><tbody>";
  for (const epoch_record& e : r.history)
    out += text_of("<tr", e.epoch == r.best_epoch ? " class=\"best\"" : "", "><td>", e.epoch,
                   e.epoch == r.best_epoch ? " (best)" : "", "</td><td>", short_number(e.train_loss), "</td><td>",
                   percent(e.train_accuracy), "</td><td>", short_number(e.val_loss), "</td><td>", percent(e.val_accuracy),
                   "</td><td>", short_number(e.learning_rate), "</td><td>", fixed(e.images_per_second, 1), "</td><td>",
                   clock_text(e.seconds), "</td></tr>");
  return out + "</tbody></table></section>";
}

}  // namespace detail

/// The page as text: works offline and without script, light and dark, from phone width up.
inline std::string report_html(const training_report& r) {
  const auto column = [&](double epoch_record::*field) {
    std::vector<double> out;
    for (const epoch_record& e : r.history) out.push_back(e.*field);
    return out;
  };
  std::vector<double> epochs;
  for (const epoch_record& e : r.history) epochs.push_back(static_cast<double>(e.epoch));

  std::string out = text_of(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>",
      html_escape(r.title), "</title><style>", detail::report_style, "</style></head><body><main><h1>", html_escape(r.title),
      "</h1><p class=\"note\">");
  if (r.history.empty())
    out += "No epoch has ended yet.</p>";
  else
    out += text_of(r.finished ? "Finished" : "Running", ": ", r.history.size(),
                   r.history.size() == 1 ? " epoch in " : " epochs in ", clock_text(r.history.back().seconds), ".</p>");
  for (const epoch_record& e : r.history)
    if (e.epoch == r.best_epoch)
      out += "<div class=\"figures\">" + detail::figure(detail::percent(e.val_accuracy), "validation accuracy (best)") +
             detail::figure(short_number(e.val_loss), "validation log loss") + detail::figure(to_text(e.epoch), "best epoch") +
             detail::figure(fixed(r.history.back().images_per_second, 1), "images/s") + "</div>";
  out += "<div class=\"cards\">";
  if (!r.history.empty()) {
    out += detail::card({"Loss",
                         epochs,
                         {{"train", column(&epoch_record::train_loss)}, {"validation", column(&epoch_record::val_loss)}},
                         true,
                         false});
    out += detail::card({"Accuracy",
                         epochs,
                         {{"train", column(&epoch_record::train_accuracy)}, {"validation", column(&epoch_record::val_accuracy)}},
                         false,
                         true});
    out += detail::card({"Learning rate", epochs, {{"learning rate", column(&epoch_record::learning_rate)}}, true, false});
    out += detail::card({"Images per second", epochs, {{"images/s", column(&epoch_record::images_per_second)}}, true, false});
  }
  if (!r.confusion.empty()) out += detail::confusion_card(r);
  if (!r.settings.empty()) {
    out += "<section class=\"card\"><h2>Settings</h2><table><tbody>";
    for (const auto& [name, value] : r.settings)
      out += "<tr><td>" + html_escape(name) + "</td><td>" + html_escape(value) + "</td></tr>";
    out += "</tbody></table></section>";
  }
  out += "</div>";
  if (!r.history.empty()) out += "<div style=\"margin-top:16px\">" + detail::epochs_card(r) + "</div>";
  if (!r.command.empty())
    out += "<p class=\"note\" style=\"margin-top:16px\">Repeat: <code>" + html_escape(r.command) + "</code></p>";
  return out + "</main><div id=\"tip\"></div><script>" + detail::report_script + "</script></body></html>\n";
}

}  // namespace minicnn::inline MINICNN_ABI
