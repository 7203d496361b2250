#include "drawing.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <system_error>

#include "minicnn/core/error.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/files/path.hpp"
#include "scene.hpp"

// The writer is this unit's own: a program's other copy of stb_image_write is neither replaced nor needed.
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace drawing {

namespace {

/// What the random numbers of a picture are for.
enum stream : std::uint64_t { frame, surroundings, appearance, shape, file };

/// Where the animal goes: head radii around the head's centre -> pixels. Most of the head stays in the picture.
affine place_animal(dice& d, pose p, float width, float height) {
  const extent e = pose_extent(p);
  const float fit = (std::min)(width / (e.right - e.left), height / (e.bottom - e.top));
  const float scale = fit * (p == pose::portrait ? d.in(0.75F, 1.15F) : d.in(0.9F, 1.3F));
  const float side = d.chance(0.5) ? 1.0F : -1.0F;
  const float angle = d.around(0, 0.11F), breadth = d.in(0.93F, 1.07F);
  const affine turn = rotated(angle) * stretched(scale * side * breadth, scale);
  const point middle = turn({(e.left + e.right) / 2, (e.top + e.bottom) / 2});
  const point centre{width * d.in(0.38F, 0.62F), height * d.in(0.40F, 0.60F)};
  const float margin_x = (std::min)(0.9F * scale, 0.45F * width), margin_y = (std::min)(1.0F * scale, 0.45F * height);
  return moved(std::clamp(centre.x - middle.x, margin_x, width - margin_x),
               std::clamp(centre.y - middle.y, margin_y, height - margin_y)) *
         turn;
}

/// cat.N.jpg or dog.N.jpg?
bool is_picture_name(const std::string& name) {
  if (name.size() < 9 || (name.compare(0, 4, "cat.") != 0 && name.compare(0, 4, "dog.") != 0)) return false;
  if (name.compare(name.size() - 4, 4, ".jpg") != 0) return false;
  return std::all_of(name.begin() + 4, name.end() - 4, [](char c) { return c >= '0' && c <= '9'; });
}

/// A folder that was made and has nothing in it goes again: nothing could be drawn.
class empty_folder_goes {
 public:
  explicit empty_folder_goes(const std::string& folder) : place_(minicnn::detail::system_path(folder)) {
    std::error_code failed;
    existed_ = std::filesystem::exists(place_, failed);
  }
  empty_folder_goes(const empty_folder_goes&) = delete;
  empty_folder_goes& operator=(const empty_folder_goes&) = delete;
  ~empty_folder_goes() {
    std::error_code failed;
    if (!existed_ && std::filesystem::is_empty(place_, failed) && !failed) std::filesystem::remove(place_, failed);
  }

 private:
  std::filesystem::path place_;
  bool existed_ = false;
};

void prepare_folder(const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code failure;
  const fs::path place = minicnn::detail::system_path(folder);
  fs::create_directories(place, failure);
  if (!fs::is_directory(place))
    minicnn::fail<minicnn::file_error>(folder,
                                       ": cannot make this folder: ", failure ? failure.message() : "a file has its name");
  fs::directory_iterator entry(place, failure);
  for (; !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
    const std::string name = minicnn::detail::path_text(entry->path().filename());
    if (is_picture_name(name))
      minicnn::fail<minicnn::option_error>(folder, ": already holds pictures (", name,
                                           "); give a new folder, or remove them first");
  }
  if (failure) minicnn::fail<minicnn::file_error>(folder, ": cannot be read: ", failure.message());
}

void write_file(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
  using minicnn::detail::path_text;
  // Named as those of minicnn::atomic_file, and not flushed: pictures that are lost with the power are drawn again.
  std::filesystem::path temporary = path;
  temporary += minicnn::text_of(".tmp-", static_cast<std::int64_t>(::getpid()), "-0");
  std::error_code failure, ignored;
  const auto note = [&](bool done) {
    if (!done && !failure) failure = std::error_code(errno, std::generic_category());
  };
  std::ofstream out(temporary, std::ios::binary);
  note(out.is_open());
  if (failure) minicnn::fail<minicnn::file_error>(path_text(temporary), ": cannot be written: ", failure.message());
  note(out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())).good());
  out.close();
  note(out.good());
  if (!failure) std::filesystem::rename(temporary, path, failure);
  if (!failure) return;
  std::filesystem::remove(temporary, ignored);
  minicnn::fail<minicnn::file_error>(path_text(path), ": cannot be written: ", failure.message());
}

}  // namespace

picture draw_picture(species kind, minicnn::random_key key) {
  dice framing(key.of(frame)), coat(key.of(appearance)), bones(key.of(shape));
  const look l = random_look(coat);
  const anatomy a = random_anatomy(kind, bones);
  const scene s(key.of(surroundings));

  const int width = 136 + framing.below(49), height = 136 + framing.below(49);
  canvas c(width, height);
  const affine place = place_animal(framing, l.pose, static_cast<float>(c.width()), static_cast<float>(c.height()));
  s.draw_behind(c);
  const extent e = pose_extent(l.pose);
  if (l.pose != pose::portrait)
    s.draw_shadow(c, place({(e.left + e.right) / 2, e.bottom - 0.25F}), 0.45F * (e.right - e.left) * place.scale());
  draw_animal(c, l, a, place);
  s.draw_before(c);
  s.develop(c);

  picture p{c.width(), c.height(), {}};
  p.rgb.reserve(3 * c.pixels().size());
  for (const color& pixel : c.pixels())
    for (const float v : {pixel.r, pixel.g, pixel.b})
      p.rgb.push_back(static_cast<std::uint8_t>(std::clamp(v, 0.0F, 1.0F) * 255.0F + 0.5F));
  return p;
}

std::vector<std::uint8_t> jpeg_bytes(const picture& p, int quality) {
  std::vector<std::uint8_t> bytes;
  const auto append = [](void* context, void* data, int size) {
    const auto* first = static_cast<const std::uint8_t*>(data);
    auto& out = *static_cast<std::vector<std::uint8_t>*>(context);
    out.insert(out.end(), first, first + size);
  };
  if (stbi_write_jpg_to_func(append, &bytes, p.width, p.height, 3, p.rgb.data(), quality) == 0)
    minicnn::fail<minicnn::error>("JPEG: cannot encode a picture of ", p.width, " x ", p.height, " pixels");
  return bytes;
}

minicnn::index_t generate_images(const std::string& folder, minicnn::index_t images, std::uint64_t seed,
                                 const generate_progress& progress, int threads) {
  if (images < 1) minicnn::fail<minicnn::option_error>("images: ", images, " pictures cannot be drawn; at least 1 is wanted");
  if (folder.empty()) minicnn::fail<minicnn::option_error>("folder: the name of the folder to draw into is empty");
  threads = minicnn::resolve_threads(threads);
  const empty_folder_goes left(folder);
  prepare_folder(folder);

  const minicnn::random_key key(seed);
  std::mutex one_at_a_time;
  minicnn::index_t done = 0;
  std::atomic<bool> stopped{false};
  minicnn::parallel_tasks(threads, images, [&](minicnn::index_t i, int) {
    if (stopped) return;
    try {
      const minicnn::random_key own = key.of(static_cast<std::uint64_t>(i));
      const bool cat = i % 2 == 0;
      const picture p = draw_picture(cat ? species::cat : species::dog, own);
      const int quality = dice(own.of(file)).below(15) + 82;
      const std::string name = minicnn::text_of(cat ? "cat." : "dog.", i / 2, ".jpg");
      write_file(minicnn::detail::system_path(folder) / name, jpeg_bytes(p, quality));
      const std::lock_guard lock(one_at_a_time);
      ++done;
      if (!stopped && progress && !progress(done, images)) stopped = true;
    } catch (...) {
      stopped = true;  // the other threads need not go on
      throw;
    }
  });
  return done;
}

}  // namespace drawing
