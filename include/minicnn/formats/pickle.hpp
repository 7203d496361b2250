#pragma once
/// Python's pickle, as far as PyTorch's files of tensors need it.
///
/// A pickle is a program that builds objects, and with Python's own reader it can run anything. This reader runs nothing: it
/// builds numbers, texts, tuples, lists, dictionaries and, from PyTorch's own functions for it, descriptions of tensors. What any
/// other function or class would make is an object of that name, with the attributes that it is given; that it is not known
/// matters only where a tensor is wanted. Time and memory are proportional to the pickle's length, and bounded: a million
/// objects, eight million references to them.

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/formats/pickle_stack.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Runs the opcodes of one pickle.
class pickle_machine : private pickle_stack {
 public:
  pickle_machine(std::string_view bytes, std::string_view source) : pickle_stack(bytes, source) {}

  pickle_objects run() {
    for (;;) {
      const std::size_t place = at_;
      const auto code = static_cast<unsigned char>(take(1)[0]);
      if (code == '.') break;
      if (!step(code)) refuse("opcode 0x", hex(code), " at byte ", place, ", which no file of tensors needs");
    }
    objects_.root = pop();
    if (!stack_.empty()) refuse(stack_.size(), " objects are left over at its end");
    return std::move(objects_);
  }

 private:
  /// One opcode; false if it is not one of ours. Missing are those for numbers that stand for classes, and for data outside the
  /// pickle, which a file of tensors cannot have.
  bool step(unsigned char code) { return step_scalar(code) || step_container(code) || step_object(code); }

  bool step_scalar(unsigned char code) {
    switch (code) {
      case 0x80:  // PROTO
        if (const std::uint64_t protocol = take_number(1); protocol > 5) refuse("protocol ", protocol, " is unknown");
        return true;
      case 0x95:  // FRAME
        take(8);
        return true;
      case 'N':
        return push_shared(type::none);
      case 0x88:
      case 0x89:
        return push_number(type::boolean, code == 0x88 ? 1 : 0);
      case 'K':
        return push_number(type::integer, static_cast<index_t>(take_number(1)));
      case 'M':
        return push_number(type::integer, static_cast<index_t>(take_number(2)));
      case 'J':
        return push_number(type::integer, static_cast<std::int32_t>(static_cast<std::uint32_t>(take_number(4))));
      case 0x8A:
        return push_long(take(take_number(1)));
      case 0x8B:
        return push_long(take(take_number(4)));
      case 'I':
      case 'L':
        return push_decimal(take_line());
      case 'G':
        take(8);
        return push_shared(type::real);
      case 'F':
        take_line();
        return push_shared(type::real);
      case 'X':  // BINUNICODE
        return push_text(type::text, take(take_number(4)));
      case 0x8C:  // SHORT_BINUNICODE
        return push_text(type::text, take(take_number(1)));
      case 0x8D:  // BINUNICODE8
        return push_text(type::text, take(take_number(8)));
      case 'U':  // SHORT_BINSTRING, of Python 2
        return push_text(type::text, take(take_number(1)));
      case 'T':  // BINSTRING
        return push_text(type::text, take(take_number(4)));
      case 'S':  // STRING, with its marks
      case 'V':  // UNICODE
        return push_line(take_line());
      case 'C':  // SHORT_BINBYTES
        return push_text(type::bytes, take(take_number(1)));
      case 'B':  // BINBYTES
        return push_text(type::bytes, take(take_number(4)));
      case 0x8E:  // BINBYTES8
      case 0x96:  // BYTEARRAY8
        return push_text(type::bytes, take(take_number(8)));
      default:
        return false;
    }
  }

  bool step_container(unsigned char code) {
    switch (code) {
      case '(':
        return push_shared(type::mark);
      case ')':
        return push_items(type::tuple, {});
      case 0x85:
      case 0x86:
      case 0x87:
        return push_tuple_of(code - 0x84);
      case 't':
        return push_items(type::tuple, pop_to_mark());
      case ']':
        return push(type::list);
      case 'l':
        return push_items(type::list, pop_to_mark());
      case '}':
        return push(type::dictionary);
      case 'd': {
        const std::vector<int> items = pop_to_mark();
        push(type::dictionary);
        return append(items, type::dictionary);
      }
      case 0x8F:  // EMPTY_SET
        return push_object("set");
      case 0x91:  // FROZENSET
        pop_to_mark();
        return push_object("frozenset");
      case 0x90:  // ADDITEMS
        pop_to_mark();
        return true;
      case 'a':
        return append({pop()}, type::list);
      case 'e':
        return append(pop_to_mark(), type::list);
      case 's': {
        const int value = pop(), key = pop();
        return append({key, value}, type::dictionary);
      }
      case 'u':
        return append(pop_to_mark(), type::dictionary);
      case '0':  // POP
        top();
        stack_.pop_back();
        return true;
      case '1':  // POP_MARK
        pop_to_mark();
        return true;
      case '2':  // DUP
        return push_id(top());
      case 'p':
        return remember(take_key());
      case 'q':
        return remember(take_number(1));
      case 'r':
        return remember(take_number(4));
      case 0x94:  // MEMOIZE
        return remember(memo_.size());
      case 'g':
        return recall(take_key());
      case 'h':
        return recall(take_number(1));
      case 'j':
        return recall(take_number(4));
      default:
        return false;
    }
  }

  bool step_object(unsigned char code) {
    switch (code) {
      case 'c': {
        const std::string module = take_line();
        return push_text(type::global, text_of(module, ".", take_line()));
      }
      case 0x93: {  // STACK_GLOBAL
        const int name = pop(), module = pop();
        if (at(name).kind != type::text || at(module).kind != type::text) refuse("a global whose name is no text");
        return push_text(type::global, text_of(at(module).text, ".", at(name).text));
      }
      case 'P':  // PERSID
        take_line();
        return push_object("persistent id");
      case 'Q':
        return push_storage(pop());
      case 0x92:  // NEWOBJ_EX
        pop();
        [[fallthrough]];
      case 0x81:   // NEWOBJ
      case 'R': {  // REDUCE
        const int arguments = pop(), callable = pop();
        return call(callable, at(arguments).kind == type::tuple ? at(arguments).items : std::vector<int>());
      }
      case 'o': {  // OBJ
        std::vector<int> items = pop_to_mark();
        if (items.empty()) refuse("an object without a class, at byte ", at_);
        const int callable = items.front();
        items.erase(items.begin());
        return call(callable, items);
      }
      case 'i': {  // INST
        const std::string module = take_line(), name = take_line();
        pop_to_mark();
        return push_object(text_of(module, ".", name));
      }
      case 'b': {  // BUILD: attributes; those of a state dict's OrderedDict (versions of modules) say nothing about tensors
        const int attributes = pop();
        if (pickle_value& to = at(top()); to.kind == type::object) to.number = index_t{attributes} + 1;
        return true;
      }
      case 0x98:  // READONLY_BUFFER
        return true;
      default:
        return false;
    }
  }

  bool push_line(const std::string& line) {
    const bool marks = line.size() >= 2 && (line.front() == '\'' || line.front() == '"') && line.back() == line.front();
    return push_text(type::text, marks ? std::string_view(line).substr(1, line.size() - 2) : line);
  }

  /// "12", "12L", "01" (True).
  bool push_decimal(const std::string& line) {
    index_t value = 0;
    const auto [end, problem] = std::from_chars(line.data(), line.data() + line.size(), value);
    if (line.empty() || end == line.data()) refuse("\"", line, "\" where a number is wanted");
    if (problem != std::errc()) return push_object("int");
    return push_number(line == "00" || line == "01" ? type::boolean : type::integer, value);
  }

  bool push_long(std::string_view digits) {
    if (digits.size() > 8) return push_object("int");
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < digits.size(); ++i) value |= std::uint64_t{static_cast<unsigned char>(digits[i])} << (8 * i);
    if (!digits.empty() && digits.size() < 8 && (static_cast<unsigned char>(digits.back()) & 0x80U) != 0)
      value |= ~std::uint64_t{0} << (8 * digits.size());
    return push_number(type::integer, static_cast<index_t>(value));
  }

  // ---- what PyTorch's pickles may name

  struct storage_row {
    std::string_view name;
    dtype element;
  };
  static const storage_row* storage_type(std::string_view name) {
    static constexpr storage_row rows[] = {{"FloatStorage", dtype::f32}, {"DoubleStorage", dtype::f64},
                                           {"HalfStorage", dtype::f16},  {"BFloat16Storage", dtype::bf16},
                                           {"LongStorage", dtype::i64},  {"IntStorage", dtype::i32},
                                           {"ShortStorage", dtype::i16}, {"CharStorage", dtype::i8},
                                           {"ByteStorage", dtype::u8},   {"BoolStorage", dtype::boolean}};
    for (const storage_row& row : rows)
      if (row.name == name) return &row;
    return nullptr;
  }

  /// ('storage', torch.FloatStorage, '0', 'cpu', 23232), with more behind it in old files; else something that is not known.
  bool push_storage(int id) {
    const std::vector<int>& parts = at(id).items;
    const auto is = [&](std::size_t i, type kind) { return at(parts[i]).kind == kind; };
    if (at(id).kind != type::tuple || parts.size() < 5 || !is(0, type::text) || at(parts[0]).text != "storage" ||
        !is(1, type::global) || !(is(2, type::text) || is(2, type::integer)) || !is(4, type::integer))
      return push_object("persistent id");
    const std::string& name = at(parts[1]).text;
    const storage_row* row =
        name.starts_with("torch.") ? storage_type(std::string_view(name).substr(name.rfind('.') + 1)) : nullptr;
    const index_t count = at(parts[4]).number;
    const std::string key = is(2, type::text) ? at(parts[2]).text : to_text(at(parts[2]).number);
    if (row == nullptr || count < 0 || key.size() > 255) return push_object(name);
    push(type::storage);
    pickle_value& made = at(stack_.back());
    made.number = count, made.text = key, made.element = row->element;
    return true;
  }

  /// What a function of PyTorch's or a class of dictionaries would return, or else an object of that name. `nested`: on behalf of
  /// a function that was called itself.
  bool call(int callable, const std::vector<int>& arguments, bool nested = false) {
    if (at(callable).kind != type::global) return push_object("function's result");
    const std::string function = at(callable).text;
    const auto is = [&](std::size_t i, type kind) { return i < arguments.size() && at(arguments[i]).kind == kind; };
    static constexpr std::string_view dictionaries[] = {"collections.OrderedDict", "collections.defaultdict",
                                                        "collections.Counter", "builtins.dict", "__builtin__.dict"};
    for (const std::string_view name : dictionaries)
      if (function == name) return push_dictionary(arguments);
    const bool rebuilt = function.starts_with("torch._utils._rebuild_parameter");
    if (rebuilt && is(0, type::tensor)) return push_id(arguments[0]);
    // A subclass of tensors: (function, class, its arguments, attributes).
    if (!nested && function.starts_with("torch._tensor._rebuild_from_type") && is(0, type::global) && is(2, type::tuple)) {
      const std::vector<int> inner = at(arguments[2]).items;
      count_references(inner.size());
      return call(arguments[0], inner, true);
    }
    // (storage, offset, size, stride, ...): what follows concerns gradients.
    const bool plain = function == "torch._utils._rebuild_tensor" || function == "torch._utils._rebuild_tensor_v2";
    if (!plain || !is(0, type::storage) || !is(1, type::integer) || !is(2, type::tuple) || !is(3, type::tuple))
      return push_object(function);
    push(type::tensor);
    pickle_value& made = at(stack_.back());
    made.number = at(arguments[1]).number;
    made.items = {arguments[0], arguments[2], arguments[3]};
    return true;
  }

  /// Of nothing, of a dictionary, or of a list of pairs; a default is passed over.
  bool push_dictionary(const std::vector<int>& arguments) {
    std::vector<int> items;
    for (const int id : arguments) {
      const pickle_value& from = at(id);
      count_references(from.items.size());
      if (from.kind == type::dictionary) items.insert(items.end(), from.items.begin(), from.items.end());
      if (from.kind != type::list && from.kind != type::tuple) continue;
      for (const int pair : from.items)
        if (at(pair).items.size() == 2 && (at(pair).kind == type::tuple || at(pair).kind == type::list))
          items.insert(items.end(), at(pair).items.begin(), at(pair).items.end());
    }
    return push_items(type::dictionary, std::move(items));
  }
};

}  // namespace detail

/// Reads one pickle. Throws file_error, with `source` before the text, naming the opcode that is refused.
inline pickle_objects parse_pickle(std::string_view bytes, std::string_view source) {
  return detail::pickle_machine(bytes, source).run();
}

}  // namespace minicnn::inline MINICNN_ABI
