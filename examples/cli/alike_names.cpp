#include "alike_names.hpp"

#include <map>
#include <minicnn/core/printable.hpp>
#include <minicnn/core/utf8.hpp>
#include <minicnn/io/json.hpp>

#include "messages.hpp"

namespace cli {

namespace {

/// Letters of Latin-1 and Latin Extended-A, from U+00C0, without their accents, where it is one.
constexpr char plain_letters[] =
    "aaaaaa.ceeeeiiii.nooooo..uuuuy..aaaaaa.ceeeeiiii.nooooo..uuuuy.y"
    "aaaaaaccccccccdd..eeeeeeeeeegggggggghh..iiiiiiiii...jjkk.llllll....nnnnnn...oooooo..rrrrrrsssssssstttt.."
    "uuuuuuuuuuuuwwyyyzzzzzz.";

/// Kana with a voicing mark; consonant pairs up to DI, pairs from DU to DO, triples of HA to HO. Katakana lies 0x60 higher.
char32_t unvoiced(char32_t c) {
  const char32_t shift = c >= 0x30A0 ? 0x60 : 0, kana = c - shift;
  if (kana >= 0x304B && kana <= 0x3062) return kana % 2 == 0 ? c - 1 : c;
  if (kana >= 0x3064 && kana <= 0x3069) return kana % 2 == 1 ? c - 1 : c;
  if (kana >= 0x306F && kana <= 0x307D) return c - kana % 3;
  return c;
}

bool is_accent(char32_t c) { return (c >= 0x300 && c <= 0x36F) || c == 0x3099 || c == 0x309A; }

/// Appends `c`, a Hangul syllable as its letters (Unicode standard, section 3.12), any other letter small and without accents.
void add_plain(std::string& out, char32_t c) {
  if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  if (c >= 0xC0 && c < 0xC0 + sizeof plain_letters - 1 && plain_letters[c - 0xC0] != '.')
    c = static_cast<unsigned char>(plain_letters[c - 0xC0]);
  if (c >= 0x391 && c <= 0x3A9) c += 0x20;  // Greek
  if (c >= 0x410 && c <= 0x42F) c += 0x20;  // Cyrillic
  if (c == 0x401 || c == 0x451) c = 0x435;  // yo
  if (c == 0x439) c = 0x438;                // short i
  if (c >= 0x304B && c <= 0x30DD) c = unvoiced(c);
  if (c < 0xAC00 || c > 0xD7A3) return minicnn::append_utf8(out, c);
  const std::uint32_t syllable = c - 0xAC00;
  minicnn::append_utf8(out, 0x1100 + syllable / 588);
  minicnn::append_utf8(out, 0x1161 + syllable % 588 / 28);
  if (syllable % 28 > 0) minicnn::append_utf8(out, 0x11A7 + syllable % 28);
}

}  // namespace

std::string remembered(const std::string& name) {
  std::string out;
  for (std::size_t at = 0; at < name.size();) {
    const auto [code, bytes] = minicnn::detail::decode_utf8(name, at);
    if (bytes == 0)
      out += name[at];
    else if (code == ' ' || code == '-' || code == '_' || code == 0xA0)
      out += out.empty() || out.back() == '_' ? "" : "_";
    else if (!is_accent(code))
      add_plain(out, code);
    at += bytes == 0 ? 1 : bytes;
  }
  while (out.ends_with('_') && name.ends_with(' ')) out.pop_back();
  return out;
}

void warn_of_alike_names(const std::string& root, const std::vector<std::string>& names) {
  constexpr int most = 5;
  std::map<std::string, std::string> seen;
  int told = 0;
  for (const std::string& name : names) {
    const auto [first, is_new] = seen.emplace(remembered(name), name);
    if (is_new || ++told > most) continue;
    const auto written = [](const std::string& text) { return minicnn::write_json(text, {.ascii = true, .tolerant = true}); };
    warn(root + ": the classes " + written(first->second) + " and " + written(name) +
         " are called alike and are two: rename or join their folders or labels if they should be one");
  }
  if (told > most) warn(minicnn::text_of(root, ": and ", told - most, " more that are called alike"));
}

}  // namespace cli
