#pragma once

namespace cli {

/// Opens descriptors 0 to 2 where whoever started the program has closed them: the next file to be opened would get their
/// numbers, and messages would be written into it. They lead nowhere, and reading or writing is the error that it was.
void open_standard_descriptors();

}  // namespace cli
