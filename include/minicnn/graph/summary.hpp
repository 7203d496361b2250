#pragma once
/// What a network consists of: a row a node with shapes, parameters, multiply-adds and memory.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/graph/network.hpp"
#include "minicnn/graph/output_nodes.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One node for a batch of one.
struct layer_summary {
  std::string name;
  std::string kind;  ///< "input" for the input
  shape output;      ///< with the batch axis
  index_t parameters = 0;
  index_t multiply_adds = 0;
  index_t output_bytes = 0;  ///< of the node's value alone; the plan lets values share memory
  bool auxiliary = false;    ///< the network's first output does not need it: prediction leaves it out
};

struct network_summary {
  std::vector<layer_summary> layers;
  index_t parameters = 0;
  index_t parameters_without_aux = 0;  ///< of the layers that are not auxiliary
  index_t multiply_adds = 0;           ///< forward, one image
  index_t weight_bytes = 0;            ///< parameters and buffers
};

/// Rows in the order of the graph, for one image of the network's own size. `with_aux` false: as if there were no auxiliary
/// heads.
template <class T>
network_summary summarize(const network<T>& net, bool with_aux = true) {
  network_summary out;
  const std::vector<op_plan> plans = net.plans(net.input_dims());
  const std::vector<char> needed = nodes_of_first_output(net);
  index_t values = 0;
  for (std::size_t i = 0; i < net.nodes().size(); ++i) {
    if (!needed[i] && !with_aux) continue;
    const graph_node<T>& n = net.nodes()[i];
    layer_summary row;
    row.auxiliary = !needed[i];
    row.name = n.name;
    row.kind = n.operation ? std::string(n.operation->kind()) : "input";
    row.output = plans[i].output;
    row.multiply_adds = plans[i].multiply_adds;
    row.output_bytes = plans[i].output_bytes > 0 ? plans[i].output_bytes : row.output.size() * static_cast<index_t>(sizeof(T));
    for (const parameter_info& p : net.parameters())
      if (p.node == static_cast<int>(i)) row.parameters += p.dims.size();
    for (const buffer_info& b : net.buffers())
      if (b.node == static_cast<int>(i)) values += b.dims.size();
    out.parameters += row.parameters;
    if (needed[i]) out.parameters_without_aux += row.parameters;
    out.multiply_adds += row.multiply_adds;
    out.layers.push_back(std::move(row));
  }
  out.weight_bytes = (out.parameters + values) * static_cast<index_t>(sizeof(T));
  return out;
}

/// 1131168288 as "1,131,168,288".
inline std::string grouped(index_t number) {
  const std::string digits = to_text(number);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const std::size_t left = digits.size() - i;
    if (left % 3 == 0 && i > 0 && digits[i - 1] != '-') out += ',';
    out += digits[i];
  }
  return out;
}

/// A table for people: name, kind, output shape without the batch, parameters, multiply-adds, memory. In `columns` of text (0: as
/// many as it takes) memory, then kinds, then multiply-adds are left out where there is no room.
inline std::string summary_table(const network_summary& s, int columns = 0) {
  std::vector<std::vector<std::string>> rows{{"layer", "kind", "output", "parameters", "multiply-adds", "memory"}};
  const auto memory = [](index_t bytes) {
    const index_t unit = bytes < 1048576 ? 1024 : 1048576;
    return text_of(bytes / unit, ".", bytes % unit * 10 / unit, unit == 1024 ? " KiB" : " MiB");
  };
  for (const layer_summary& l : s.layers)
    rows.push_back({l.name, l.kind, shape(l.output.begin() + 1, l.output.end()).text(), grouped(l.parameters),
                    grouped(l.multiply_adds), memory(l.output_bytes)});
  rows.push_back({"total", "", "", grouped(s.parameters), grouped(s.multiply_adds), memory(s.weight_bytes)});
  std::vector<std::size_t> widths(rows[0].size(), 0);
  for (const auto& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = (std::max)(widths[c], row[c].size());
  std::vector<char> shown(widths.size(), 1);
  for (const std::size_t c : {std::size_t{5}, std::size_t{1}, std::size_t{4}}) {
    std::size_t width = 0;
    for (std::size_t i = 0; i < widths.size(); ++i) width += shown[i] ? widths[i] + 2 : 0;
    if (columns > 0 && width > static_cast<std::size_t>(columns) + 2) shown[c] = 0;
  }
  std::size_t rule = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) rule += shown[i] ? widths[i] + 2 : 0;
  rule -= 2;
  std::string out;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      if (!shown[c]) continue;
      const std::string pad(widths[c] - rows[r][c].size(), ' ');
      line += c < 3 ? rows[r][c] + pad : pad + rows[r][c];
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
    if (r == 0 || r + 2 == rows.size()) out += std::string(rule, '-') + "\n";
  }
  return out;
}

}  // namespace minicnn::inline MINICNN_ABI
