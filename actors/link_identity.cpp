#include "actors/link_identity.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fmt/format.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include "actors/openssl.hpp"

namespace troupe {
namespace {

namespace fs = std::filesystem;
using openssl::check;

constexpr auto how_to_make = "make new ones with `troupe certs`";

// -- the socket, as OpenSSL sees it -----------------------------------------------------------------------------------

// OpenSSL's own writes with write(), and a peer that has gone would end the process with SIGPIPE.
int socket_of(BIO* at) {
  return static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(at)));
}

int after(BIO* at, ssize_t done, int retry) {
  BIO_clear_retry_flags(at);
  if (done < 0 && (errno == EAGAIN || errno == EINTR))
    BIO_set_flags(at, retry | BIO_FLAGS_SHOULD_RETRY);
  return static_cast<int>(done);
}

int read_from(BIO* at, char* bytes, int size) {
  return after(at, ::recv(socket_of(at), bytes, static_cast<size_t>(size), 0), BIO_FLAGS_READ);
}

int write_to(BIO* at, const char* bytes, int size) {
  return after(at, ::send(socket_of(at), bytes, static_cast<size_t>(size), MSG_NOSIGNAL), BIO_FLAGS_WRITE);
}

long control(BIO*, int what, long, void*) {
  return what == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO* new_socket(int socket) {
  static auto* const kind = [] {
    auto* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
    check(made != nullptr && BIO_meth_set_read(made, read_from) == 1 && BIO_meth_set_write(made, write_to) == 1 &&
          BIO_meth_set_ctrl(made, control) == 1);
    return made;
  }();
  auto* result = BIO_new(kind);
  check(result != nullptr);
  BIO_set_data(result, reinterpret_cast<void*>(static_cast<intptr_t>(socket))); // NOLINT(performance-no-int-to-ptr)
  BIO_set_init(result, 1);
  return result;
}

// -- certificates -----------------------------------------------------------------------------------------------------

std::string date(const ASN1_TIME* when) {
  auto t = std::tm{};
  check(ASN1_TIME_to_tm(when, &t) == 1);
  return fmt::format("{}-{:02}-{:02}", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday);
}

expected<void> check_folder(const std::string& folder) {
  if (fs::exists(fs::path{folder} / "cert.pem"))
    return {};
  if (fs::exists(fs::path{folder} / "leader" / "cert.pem"))
    return fail(fmt::format("{} has the certificates of all nodes: name the folder of one in it, such as {}/leader",
                            folder, folder));
  return fail(fmt::format("there is no certificate in {}: {}", folder, how_to_make));
}

expected<void> check_certificate(const std::string& folder, X509* own, X509* ca, EVP_PKEY* key) {
  auto* authority = X509_get0_pubkey(ca);
  auto is_issued = authority != nullptr && X509_verify(own, authority) == 1;
  auto is_ours = X509_check_private_key(own, key) == 1;
  ERR_clear_error();
  if (!is_issued)
    return fail(fmt::format("{}/cert.pem is not of the CA in {}/ca.pem: both have to come from the same `troupe certs`",
                            folder, folder));
  if (!is_ours)
    return fail(fmt::format("{}/key.pem is not the key of {}/cert.pem: both have to come from the same `troupe certs`",
                            folder, folder));
  for (auto* each : {own, ca}) {
    if (X509_cmp_current_time(X509_get0_notAfter(each)) < 0)
      return fail(fmt::format("the certificate in {} has expired on {}: {}", folder, date(X509_get0_notAfter(each)),
                              how_to_make));
    if (X509_cmp_current_time(X509_get0_notBefore(each)) > 0)
      return fail(fmt::format("the certificate in {} is not valid before {}: is this machine's clock right?", folder,
                              date(X509_get0_notBefore(each))));
  }
  return {};
}

openssl::context make_context(X509* own, X509* ca, EVP_PKEY* key) {
  auto result = openssl::context{SSL_CTX_new(TLS_method())};
  check(result != nullptr);
  auto* c = result.get();
  check(SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1 && SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) == 1);
  check(SSL_CTX_set_ciphersuites(c, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1);
  check(SSL_CTX_use_certificate(c, own) == 1 && SSL_CTX_use_PrivateKey(c, key) == 1);
  check(X509_STORE_add_cert(SSL_CTX_get_cert_store(c), ca) == 1);
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_verify_depth(c, 1);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  check(SSL_CTX_set_num_tickets(c, 0) == 1);
  SSL_CTX_set_max_cert_list(c, 16 << 10);
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(c, 1); // records of 16 KiB in one call, not two each
  SSL_CTX_set_default_read_buffer_len(c, size_t{128} << 10);
  return result;
}

bool is_address(const std::string& host) {
  auto bytes = std::array<uint8_t, 16>{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

} // namespace

expected<std::shared_ptr<const link_identity>> link_identity::read(const std::string& folder) {
  if (auto there = check_folder(folder); !there)
    return tl::unexpected(there.error());
  auto own = openssl::read_certificate(folder + "/cert.pem");
  if (!own)
    return tl::unexpected(own.error());
  auto ca = openssl::read_certificate(folder + "/ca.pem");
  if (!ca)
    return tl::unexpected(ca.error());
  auto key = openssl::read_key(folder + "/key.pem");
  if (!key)
    return tl::unexpected(key.error());
  if (auto good = check_certificate(folder, own->get(), ca->get(), key->get()); !good)
    return tl::unexpected(good.error());
  auto facts = openssl::facts_of(own->get());
  if (facts.names.empty() || facts.job.empty())
    return fail(fmt::format("{}/cert.pem names no node or no job: {}", folder, how_to_make));
  auto context = make_context(own->get(), ca->get(), key->get());
  return std::shared_ptr<const link_identity>(new link_identity(context.release(), std::move(facts)));
}

link_identity::~link_identity() {
  SSL_CTX_free(context_);
}

ssl_st* link_identity::new_session(int socket, const std::string& host) const {
  auto result = openssl::session{SSL_new(context_)};
  check(result != nullptr);
  auto* made = new_socket(socket);
  SSL_set_bio(result.get(), made, made);
  if (host.empty()) {
    SSL_set_accept_state(result.get());
    return result.release();
  }
  SSL_set_connect_state(result.get());
  auto* wanted = SSL_get0_param(result.get());
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  check(is_address(host) ? X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1
                         : X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), host.size()) == 1);
  return result.release();
}

} // namespace troupe
