#pragma once

#include <string>

namespace troupe {

/// Whether only this machine can reach what listens on `host`: every address that the name or number stands for is a
/// loopback address. False where it stands for none.
bool is_loopback(const std::string& host);

} // namespace troupe
