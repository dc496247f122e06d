#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace troupe {

/// The message types that a program has beyond Troupe's, by name, in the order of their ids: from the first id behind
/// Troupe's block on, without gaps.
std::vector<std::string> own_message_types();

/// What two programs have to agree on to understand each other's own messages: a number for names and ids. 0: there
/// are none. What a type consists of is not looked at: both sides run one build of a program.
uint64_t fingerprint(const std::vector<std::string>& types);

} // namespace troupe
