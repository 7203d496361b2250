#pragma once
/// Maps in bfloat16 as tiles of AMX read them, sixteen positions at a time: channels last, in blocks of 32 (oneDNN's
/// nChw32c).

#include "minicnn/kernels/amx/positions.hpp"
#include "minicnn/kernels/product/pack.hpp"

#if MINICNN_AMX

namespace minicnn::inline MINICNN_ABI::kernels::amx {

/// out = the sixteen numbers of a window of the maps at `from`; zeros between maps.
template <class V>
MINICNN_INLINE void load_window(vec<float, V>& out, const window& w, const float* from) {
  if (w.lanes[0] == 0xFFFF) {
    load<V>(out, from + w.from[0]);
    return;
  }
  __asm__("vexpandps %1, %0 %{%2%}%{z%}"
          : "=v"(out)
          : "m"(*reinterpret_cast<const float(*)[16]>(from + w.from[0])), "Yk"(static_cast<std::uint16_t>(w.lanes[0])));
  if (w.lanes[1] != 0)
    __asm__("vexpandps %1, %0 %{%2%}"
            : "+v"(out)
            : "m"(*reinterpret_cast<const float(*)[16]>(from + w.from[1])), "Yk"(static_cast<std::uint16_t>(w.lanes[1])));
}

/// Channels of a line, and words of two bfloat16 numbers.
inline constexpr index_t line_channels = 32, line_words = 16;

/// Sums of a tile.
inline constexpr index_t tile_elements = 256;

/// Maps of some channels, `plane` elements apart.
struct map_source {
  const float* maps;
  index_t plane, channels;
};

/// Lines of 32 channels of a position: line p of block b at to[(b * lines + p) * 16]. Windows follow each other; channels that
/// are missing are zeros.
struct channel_lines_kernel {
  template <class V>
  MINICNN_INLINE static void run(const map_source* source, const window* windows, index_t count, index_t lines,
                                 std::uint32_t* to) {
    const map_source s = *source;
    for (index_t first = 0; first < s.channels; first += line_channels)
      for (index_t i = 0; i < count; ++i) {
        word_vec<V> line[line_words];
        const index_t real = s.channels - first;
        const float* at = s.maps + first * s.plane;
        if (real >= line_channels) {
          MINICNN_UNROLL
          for (int word = 0; word < line_words; ++word, at += 2 * s.plane) {
            vec<float, V> low, high;
            load_window<V>(low, windows[i], at);
            load_window<V>(high, windows[i], at + s.plane);
            pair_native<V>(line[word], low, high);
          }
        } else {
          for (int word = 0; word < line_words; ++word, at += 2 * s.plane) {
            vec<float, V> low{}, high{};
            if (2 * word < real) load_window<V>(low, windows[i], at);
            if (2 * word + 1 < real) load_window<V>(high, windows[i], at + s.plane);
            pair_native<V>(line[word], low, high);
          }
        }
        transpose_registers(line);
        MINICNN_UNROLL
        for (int p = 0; p < line_words; ++p)
          store<V>(to + (first / line_channels * lines + i * line_words + p) * line_words, line[p]);
      }
  }
};

}  // namespace minicnn::inline MINICNN_ABI::kernels::amx

#endif
