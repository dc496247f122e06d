#pragma once

#include <exception>
#include <fmt/format.h>
#include <new>

#include "gpu/stream.hpp"
#include "messages/ids.hpp"
#include "supervision/life.hpp"

namespace troupe {

/// The error handler of a stream: its owner's life ends with the stream's failure, and the next one makes another
/// stream.
inline gpu::stream::error_handler fail_with_stream(const life& now, const role_id& role) {
  return [now, role](const std::exception_ptr& cause) {
    auto what = std::string{"unknown failure"};
    try {
      std::rethrow_exception(cause);
    } catch (const std::bad_alloc&) {
      what = "out of memory: use a smaller --micro-batch";
    } catch (const std::exception& e) {
      what = e.what();
    }
    now.fail({fmt::format("the stream of {} failed: {}", to_string(role), what)});
  };
}

} // namespace troupe
