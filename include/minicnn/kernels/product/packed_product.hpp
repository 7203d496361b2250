#pragma once
/// Products of operands that are packed already, as Winograd's transforms write them. Sums stay in tiles.

#include <algorithm>

#include "minicnn/kernels/product/plain_tile.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// sums = A B. Steps are those of the packed panels, each of `steps_together` steps of the summed dimension.
template <class T>
struct packed_product {
  index_t steps, chunk;  ///< length of the summed dimension, and most of it at a time
  int steps_together = 1;
  const T* a;          ///< chunk after chunk, in each one panel after the other
  index_t row_panels;  ///< of A
  const T* b;          ///< panel after panel, `steps` deep
  index_t columns;     ///< of B
  T* sums;             ///< of each panel of B those of all panels of A, tile after tile
  bool first = true;   ///< write sums; else add to them
};

/// Multiplies panels [begin, end) of B.
template <class T>
void multiply_packed(const tile<T>& t, const packed_product<T>& p, index_t begin, index_t end) {
  column_product<T> c;
  c.panels = p.row_panels, c.depth_stride = t.rows;
  for (index_t k = 0; k < p.steps; k += p.chunk) {
    const index_t steps = (std::min)(p.chunk, p.steps - k);
    c.depth = steps * p.steps_together;
    c.a = p.a + k * p.row_panels * t.rows, c.panel_stride = steps * t.rows;
    c.first = p.first && k == 0;
    for (index_t panel = begin; panel < end; ++panel) {
      c.b = p.b + (panel * p.steps + k) * t.columns;
      c.sums = p.sums + panel * p.row_panels * t.rows * t.columns;
      multiply_panel(t, c, p.columns - panel * t.columns);
    }
  }
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
