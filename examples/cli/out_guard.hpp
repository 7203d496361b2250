#pragma once
// Nothing is ever written into data: what would be read as pictures of it next time.

#include <initializer_list>
#include <minicnn/formats/file_kind.hpp>
#include <string>

namespace cli {

/// Throws usage_error if `out` is `data`, lies below it, or below a folder that a link in `data` leads to; links on the way to
/// either are followed. What does not exist yet counts where it would be made. `option` names `out` in the text.
void refuse_inside_data(const std::string& out, const std::string& data, const char* option = "--out");

/// Throws usage_error if the folder `out` holds pictures that `minicnn explain` has not written, or two folders with such
/// pictures: class folders.
void refuse_among_pictures(const std::string& out);

/// Makes sure that what is written into the folder `out` is taken for no picture of a data set around it. Throws as
/// `refuse_among_pictures` does.
void mark_as_no_data(const std::string& out);

/// Throws usage_error if `out` is the file `input`, by whatever name or link: it would be replaced by what is made of it.
/// `input_option` names `input` in the text.
void refuse_replacing(const std::string& out, const std::string& input, const char* input_option);

/// Throws usage_error if `out` is a file that a run keeps, a picture, or weights, a model or an archive of another kind than
/// those that the command `writes`: no older result of it, and lost if it were replaced.
void refuse_losing(const std::string& out, std::initializer_list<minicnn::file_kind> writes);

}  // namespace cli
