#pragma once

#include <chrono>

namespace troupe {

/// Has a connection's socket send small messages at once and, where nothing gets through, try again at a steady pace
/// instead of ever more seldom: a cut that heals is noticed within a second or so, however long it was. (Linux 6.15 and
/// later; before, only where few packets are under way, and not for long.)
void prepare_socket(int socket);

/// The system gives a connection up when what was sent has not been acknowledged for so long, or nothing was heard of
/// the other host.
void limit_silence(int socket, std::chrono::milliseconds limit);

} // namespace troupe
