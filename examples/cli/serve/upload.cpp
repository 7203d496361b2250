#include "upload.hpp"

#include <minicnn/data/image_format.hpp>

#include "upload_form.hpp"

namespace cli {

namespace {

std::span<const unsigned char> as_bytes(std::string_view text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

constexpr minicnn::index_t usual_bytes = 6;  // that a pixel takes in decoding

/// Pixels and the memory that each takes in decoding, by the header alone; nothing for what cannot be decoded.
minicnn::image_header announced(const uploaded_picture& picture) {
  if (minicnn::detect_image_format(picture.bytes) == minicnn::image_format::unknown) return {};
  try {
    return minicnn::check_image(picture.bytes, picture.name);
  } catch (const minicnn::file_error&) {
    return {};  // the decoder will say why, just as early
  }
}

/// A picture is told by its bytes where a program sends it as a field, without a file name. Two letters, as BMP has them, are a
/// word as well.
bool is_picture(std::string_view bytes) {
  const minicnn::image_format format = minicnn::detect_image_format(as_bytes(bytes));
  if (format != minicnn::image_format::bmp) return format != minicnn::image_format::unknown;
  return announced({"", as_bytes(bytes)}).width > 0;
}

void read_form(std::string_view body, const std::string& boundary, const upload_limits& limits,
               std::vector<uploaded_picture>& out) {
  const form_reader form(body, boundary);
  for (const form_part& part : form.parts()) {
    // A file input where nothing was chosen has an empty name and no bytes.
    if (part.filename ? part.filename->empty() && part.content.empty() : !is_picture(part.content)) continue;
    if (out.size() == static_cast<std::size_t>(limits.max_files))
      throw refusal{413, minicnn::text_of("more than ", limits.max_files, " files in one request (--max-files)"), ""};
    const std::string& name = part.filename ? *part.filename : part.name;
    out.push_back({name.empty() ? "picture" : name, as_bytes(part.content)});
  }
  if (out.empty()) throw refusal{400, "there is no picture in the request: send its bytes, or a form with files", ""};
}

void check_sizes(std::vector<uploaded_picture>& pictures, const upload_limits& limits) {
  std::int64_t all = 0;
  for (uploaded_picture& p : pictures) {
    if (static_cast<std::int64_t>(p.bytes.size()) > limits.max_size * megabyte)
      throw refusal{413, p.name + minicnn::text_of(": is larger than ", limits.max_size, " MB (--max-size)"), ""};
    const minicnn::image_header header = announced(p);
    const std::int64_t pixels = header.width * header.height, bytes = (std::max)(header.decoding_bytes, usual_bytes);
    p.pixels = (pixels * bytes + usual_bytes - 1) / usual_bytes;
    const std::string large =
        bytes == usual_bytes ? "" : minicnn::text_of(" that take the memory of ", p.pixels, " (", bytes, " bytes each)");
    if (p.pixels > limits.max_pixels * megapixel)
      throw refusal{413,
                    p.name + minicnn::text_of(": has ", pixels, " pixels", large, ", more than ", limits.max_pixels,
                                              " million (--max-pixels)"),
                    ""};
    all += p.pixels;
  }
  if (all > limits.max_request_pixels * megapixel)
    throw refusal{413,
                  minicnn::text_of("the pictures have ", all, " pixels together, more than ", limits.max_request_pixels,
                                   " million (--max-request-pixels)"),
                  ""};
}

}  // namespace

std::vector<uploaded_picture> uploaded_pictures(std::string_view body, std::string_view content_type, const std::string& name,
                                                const upload_limits& limits) {
  std::vector<uploaded_picture> out;
  try {
    if (const std::optional<std::string> boundary = form_boundary(content_type))
      read_form(body, *boundary, limits, out);
    else
      out.push_back({name, as_bytes(body)});
  } catch (const minicnn::error& e) {
    throw refusal{400, e.what(), ""};
  }
  check_sizes(out, limits);
  return out;
}

}  // namespace cli
