#pragma once
/// What a pickle (pickle.hpp) consists of.

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/core/shape.hpp"
#include "minicnn/io/dtype.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One object of a pickle. Those that compare equal may be one; what no tensor depends on (the values of real numbers) is not
/// kept.
struct pickle_value {
  enum class type : unsigned char {
    none,
    boolean,
    integer,
    real,
    text,
    bytes,
    tuple,
    list,
    dictionary,
    global,
    storage,
    tensor,
    object,
    mark
  };
  type kind = type::none;
  dtype element = dtype::f32;  ///< of storage
  index_t number = 0;  ///< of boolean and integer; storage: number of elements; tensor: elements before its first; object: the
                       ///< place of its attributes plus 1, or 0
  std::string text;    ///< of text and bytes; global and object: "module.name"; storage: its key in the archive
  std::vector<int> items;  ///< tuple, list: elements; dictionary, object: key, value, key, value, ...
                           ///< tensor: its storage, the tuple of its extents, the tuple of its strides
};

/// All objects of a pickle; they name each other by index.
struct pickle_objects {
  std::deque<pickle_value> values;
  int root = 0;
  const pickle_value& operator[](int id) const { return values[static_cast<std::size_t>(id)]; }

  /// The value of a dictionary's key, or null; of equal keys the last.
  const pickle_value* find(const pickle_value& dictionary, std::string_view key) const {
    const pickle_value* found = nullptr;
    for (std::size_t i = 0; i + 1 < dictionary.items.size(); i += 2) {
      const pickle_value& k = (*this)[dictionary.items[i]];
      if (k.kind == pickle_value::type::text && k.text == key) found = &(*this)[dictionary.items[i + 1]];
    }
    return found;
  }
};

}  // namespace minicnn::inline MINICNN_ABI
