#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "messages/failure.hpp"

namespace troupe {

/// Nodes of a job, as a hosts file names them.
struct host_list {
  std::vector<std::string> nodes; ///< HOST:PORT
  std::vector<int> slots;         ///< agents of the job that each takes at most; 0: the file does not say
};

/// A hosts file, in the form of mpirun's and Horovod's: a line for each node, `HOST:PORT` or `HOST:PORT slots=N`; what
/// follows a # is a comment. One sentence, led by file and line, for what is wrong: an address, a word, a number, a
/// node that is named twice, a file without any.
expected<host_list> parse_hosts(const std::string& text, const std::string& name);

/// The same of a file.
expected<host_list> read_hosts(const std::string& path);

} // namespace troupe
