#pragma once
// The curves of a run as a PNG file, for where SVG cannot be shown.

#include <minicnn/report/curves.hpp>

#include "picture_encoding.hpp"

namespace cli {

/// The same charts as `minicnn::curves_svg`, 1120 pixels wide, on white.
minicnn::rgb_picture curves_picture(const std::vector<minicnn::epoch_record>& history, minicnn::index_t best_epoch,
                                    const std::string& title);

}  // namespace cli
