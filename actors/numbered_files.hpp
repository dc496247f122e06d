#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace troupe {

/// A folder's files that continue each other: "ledger-000000001", "ledger-000000002", …
std::filesystem::path numbered_file(const std::filesystem::path& folder, std::string_view prefix, uint64_t number);

/// Their numbers, ascending; none where the folder cannot be read, which whoever writes there next will say.
std::vector<uint64_t> find_numbered_files(const std::filesystem::path& folder, std::string_view prefix);

} // namespace troupe
