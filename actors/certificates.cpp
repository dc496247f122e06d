#include "actors/certificates.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <system_error>
#include <unistd.h>

#include "actors/link_address.hpp"
#include "actors/openssl.hpp"

namespace troupe {
namespace {

namespace fs = std::filesystem;
using openssl::check;
using std::chrono::system_clock;

constexpr auto leader_name = "leader";
constexpr auto ca_name = "ca";
// So that nodes can be added to a job after years.
constexpr auto ca_valid = std::chrono::days{10 * 365};
// Clocks of hosts differ.
constexpr auto clocks_differ = std::chrono::minutes{10};

bool is_address(const std::string& name) {
  auto bytes = std::array<uint8_t, 16>{};
  return ::inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

// Of a host, or of a job: it becomes a folder and part of a certificate.
bool is_name(const std::string& name) {
  auto is_good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  };
  return !name.empty() && name.size() <= 63 && name.front() != '.' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), is_good);
}

std::vector<std::string> split(const std::string& names) {
  auto result = std::vector<std::string>{};
  for (size_t from = 0; from <= names.size();) {
    auto comma = std::min(names.find(',', from), names.size());
    result.push_back(without_brackets(names.substr(from, comma - from)));
    from = comma + 1;
  }
  return result;
}

// -- certificates -----------------------------------------------------------------------------------------------------

struct wish {
  std::string job;
  std::string name;               // of the certificate
  std::vector<std::string> names; // hosts and addresses; empty: a CA
  bool is_dialled = true;
  system_clock::time_point from;
  system_clock::time_point until;
};

struct issued {
  openssl::certificate certificate;
  openssl::key key;
};

void set_time(ASN1_TIME* to, system_clock::time_point when) {
  check(ASN1_TIME_set(to, system_clock::to_time_t(when)) != nullptr);
}

void add_to(X509_NAME* name, const char* field, const std::string& value) {
  check(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const uint8_t*>(value.data()),
                                   static_cast<int>(value.size()), -1, 0) == 1);
}

// The values are constants or made of checked names: OpenSSL reads them in a language of its own.
void add_extension(X509* to, const X509* issuer, int kind, const std::string& value) {
  auto about = X509V3_CTX{};
  X509V3_set_ctx_nodb(&about);
  X509V3_set_ctx(&about, const_cast<X509*>(issuer), to, nullptr, nullptr, 0);
  auto made = openssl::extension{X509V3_EXT_conf_nid(nullptr, &about, kind, value.c_str())};
  check(made != nullptr);
  check(X509_add_ext(to, made.get(), -1) == 1);
}

// Signed by the CA, or by itself where there is none.
issued issue(const wish& what, const issued* ca) {
  auto result = issued{openssl::certificate{X509_new()}, openssl::key{EVP_EC_gen("P-256")}};
  check(result.certificate && result.key);
  auto* made = result.certificate.get();
  auto* issuer = ca != nullptr ? ca->certificate.get() : made;
  auto serial = openssl::big_number{BN_new()};
  check(serial && BN_rand(serial.get(), 159, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1);
  check(X509_set_version(made, X509_VERSION_3) == 1);
  check(BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(made)) != nullptr);
  set_time(X509_getm_notBefore(made), what.from);
  set_time(X509_getm_notAfter(made), what.until);
  auto* name = X509_get_subject_name(made);
  add_to(name, "O", what.job);
  add_to(name, "CN", what.name);
  check(X509_set_issuer_name(made, X509_get_subject_name(issuer)) == 1);
  check(X509_set_pubkey(made, result.key.get()) == 1);
  add_extension(made, issuer, NID_subject_key_identifier, "hash");
  add_extension(made, issuer, NID_authority_key_identifier, "keyid:always");
  if (ca == nullptr) {
    add_extension(made, issuer, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    add_extension(made, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    auto names = std::string{};
    for (auto& each : what.names)
      names += (names.empty() ? "" : ",") + std::string{is_address(each) ? "IP:" : "DNS:"} + each;
    add_extension(made, issuer, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(made, issuer, NID_key_usage, "critical,digitalSignature");
    add_extension(made, issuer, NID_ext_key_usage, what.is_dialled ? "serverAuth,clientAuth" : "clientAuth");
    add_extension(made, issuer, NID_subject_alt_name, names);
  }
  check(X509_sign(made, ca != nullptr ? ca->key.get() : result.key.get(), EVP_sha256()) > 0);
  return result;
}

// -- files ------------------------------------------------------------------------------------------------------------

expected<void> write_new(const fs::path& path, BIO* content, mode_t mode) {
  char* bytes = nullptr;
  auto size = BIO_get_mem_data(content, &bytes);
  auto file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  auto written = file < 0 ? -1 : ::write(file, bytes, static_cast<size_t>(size));
  auto error = errno;
  if (file >= 0 && (::fsync(file) != 0 || ::close(file) != 0) && written == size) {
    error = errno;
    written = -1;
  }
  if (written != size)
    return fail(fmt::format("cannot write {}: {}", path.string(), std::strerror(error)));
  return {};
}

expected<void> write(const fs::path& folder, const issued& what, const X509* ca) {
  auto error = std::error_code{};
  if (!fs::create_directories(folder, error))
    return fail(error
                  ? fmt::format("cannot create {}: {}", folder.string(), error.message())
                  : fmt::format("{} is there already: remove it first, to make its certificate anew", folder.string()));
  auto in_memory = [] {
    auto result = openssl::bio{BIO_new(BIO_s_mem())};
    check(result != nullptr);
    return result;
  };
  auto key = in_memory();
  check(PEM_write_bio_PrivateKey(key.get(), what.key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  auto authority = in_memory();
  check(PEM_write_bio_X509(authority.get(), const_cast<X509*>(ca)) == 1);
  auto written = write_new(folder / "key.pem", key.get(), S_IRUSR | S_IWUSR);
  if (written)
    written = write_new(folder / "ca.pem", authority.get(), 0644);
  if (!written || ca == what.certificate.get())
    return written;
  auto own = in_memory();
  check(PEM_write_bio_X509(own.get(), what.certificate.get()) == 1);
  return write_new(folder / "cert.pem", own.get(), 0644);
}

expected<issued> read_ca(const fs::path& folder) {
  auto certificate = openssl::read_certificate(folder / "ca.pem");
  if (!certificate)
    return tl::unexpected(certificate.error());
  auto key = openssl::read_key(folder / "key.pem");
  if (!key)
    return tl::unexpected(key.error());
  if (X509_check_private_key(certificate->get(), key->get()) != 1) {
    ERR_clear_error();
    return fail(fmt::format("{}/key.pem is not the key of the CA beside it", folder.string()));
  }
  return issued{std::move(*certificate), std::move(*key)};
}

expected<void> check_order(const certificates_order& order, bool has_ca) {
  if (!has_ca && order.job.empty())
    return fail(fmt::format("there is no CA in {} yet: name its job with --job", order.folder.string()));
  if (!order.job.empty() && !is_name(order.job))
    return fail(
      fmt::format("\"{}\" is no name for a job: it takes letters, digits, dots and dashes, 63 at most", order.job));
  if (order.nodes.empty())
    return fail("which nodes are the certificates for? Name each with --node, by the host or address that others dial");
  for (auto& node : order.nodes)
    for (auto& name : split(node))
      if (!is_name(name) && !is_address(name))
        return fail(
          fmt::format("\"{}\" is no host name and no address: write it as in --nodes, without the port", name));
  for (auto& node : order.nodes)
    if (auto name = split(node).front(); name == ca_name || name == leader_name)
      return fail(fmt::format("a node's first name cannot be {}: that folder has another use", name));
  for (auto& node : order.nodes)
    if (auto folder = order.folder / split(node).front(); fs::exists(folder))
      return fail(fmt::format("{} is there already: remove it first, to make its certificate anew", folder.string()));
  return {};
}

} // namespace

expected<std::vector<fs::path>> make_certificates(const certificates_order& order) {
  auto ca_folder = order.folder / ca_name;
  auto has_ca = fs::exists(ca_folder / "key.pem");
  if (auto good = check_order(order, has_ca); !good)
    return tl::unexpected(good.error());
  auto made = std::vector<fs::path>{};
  auto from = order.from - clocks_differ;
  auto until = order.from + order.valid;
  auto ca = issued{};
  if (has_ca) {
    auto known = read_ca(ca_folder);
    if (!known)
      return tl::unexpected(known.error());
    ca = std::move(*known);
  } else {
    auto ends = std::max(until, order.from + ca_valid);
    ca = issue({order.job, order.job + " CA", {}, false, from, ends}, nullptr);
    if (auto written = write(ca_folder, ca, ca.certificate.get()); !written)
      return tl::unexpected(written.error());
    made.push_back(ca_folder);
  }
  auto job = openssl::facts_of(ca.certificate.get()).job;
  if (!order.job.empty() && order.job != job)
    return fail(
      fmt::format("the CA in {} is that of job {}: use another folder for job {}", ca_folder.string(), job, order.job));
  auto add = [&](const std::vector<std::string>& names, bool is_dialled) -> expected<void> {
    made.push_back(order.folder / names.front());
    return write(made.back(), issue({job, names.front(), names, is_dialled, from, until}, &ca), ca.certificate.get());
  };
  auto added = has_ca ? expected<void>{} : add({leader_name}, false);
  for (size_t i = 0; added && i < order.nodes.size(); ++i)
    added = add(split(order.nodes[i]), true);
  if (!added)
    return tl::unexpected(added.error());
  return made;
}

} // namespace troupe
