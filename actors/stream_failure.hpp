#pragma once

#include <caf/actor_control_block.hpp>
#include <caf/error.hpp>
#include <caf/local_actor.hpp>
#include <exception>
#include <fmt/format.h>
#include <new>

#include "actors/post.hpp"
#include "gpu/stream.hpp"
#include "messages/ids.hpp"

namespace troupe {

/// The error handler of a stream whose owner ends, with the stream's failure as its reason, so that its supervisor decides.
template <class Self>
gpu::stream::error_handler end_with_stream_failure(Self* self, const role_id& role) {
  return [me = caf::weak_actor_ptr{self->ctrl()}, self, role](std::exception_ptr cause) {
    auto what = std::string{"unknown failure"};
    try {
      std::rethrow_exception(cause);
    } catch (const std::bad_alloc&) {
      what = "out of memory: use a smaller --micro-batch";
    } catch (const std::exception& e) {
      what = e.what();
    }
    post(me, [self, role, what] {
      self->quit(caf::make_error(caf::sec::runtime_error, fmt::format("the stream of {} failed: {}", to_string(role), what)));
    });
  };
}

} // namespace troupe
