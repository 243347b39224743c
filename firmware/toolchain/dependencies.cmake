# Third parties, each as one imported target, found the same way natively and when cross-compiling.
include(FindPkgConfig)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)

pkg_check_modules(SQLCIPHER REQUIRED IMPORTED_TARGET sqlcipher)
add_library(nightdrop_sqlcipher INTERFACE)
target_link_libraries(nightdrop_sqlcipher INTERFACE PkgConfig::SQLCIPHER)
target_compile_definitions(nightdrop_sqlcipher INTERFACE SQLITE_HAS_CODEC)
add_library(sqlcipher::sqlcipher ALIAS nightdrop_sqlcipher)

# SQLCipher 4 stands on SQLite 3.25 or later; the header tells without running anything, so this holds for a cross build too.
find_path(SQLCIPHER_HEADERS sqlcipher/sqlite3.h HINTS ${SQLCIPHER_INCLUDE_DIRS} REQUIRED)
file(STRINGS ${SQLCIPHER_HEADERS}/sqlcipher/sqlite3.h sqlite_version REGEX "#define SQLITE_VERSION_NUMBER")
string(REGEX MATCH "[0-9]+$" sqlite_version "${sqlite_version}")
if(sqlite_version LESS 3025000)
  message(FATAL_ERROR "Nightdrop needs SQLCipher 4 or later; this machine has one from before 2018 (SQLite ${sqlite_version}). "
    "Run firmware/toolchain/install-packages, which takes it from the distribution's backports.")
endif()

pkg_check_modules(CJSON REQUIRED IMPORTED_TARGET libcjson)
add_library(cjson::cjson ALIAS PkgConfig::CJSON)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
add_library(curl::curl ALIAS PkgConfig::CURL)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)
add_library(openssl::openssl ALIAS PkgConfig::OPENSSL)

find_path(MBEDTLS_HEADERS psa/crypto.h REQUIRED)
find_library(MBEDCRYPTO mbedcrypto REQUIRED)
add_library(nightdrop_mbedcrypto INTERFACE)
target_include_directories(nightdrop_mbedcrypto SYSTEM INTERFACE ${MBEDTLS_HEADERS})
target_link_libraries(nightdrop_mbedcrypto INTERFACE ${MBEDCRYPTO})
add_library(mbedtls::crypto ALIAS nightdrop_mbedcrypto)

find_path(ASIO_HEADERS asio.hpp REQUIRED)
add_library(nightdrop_asio INTERFACE)
target_include_directories(nightdrop_asio SYSTEM INTERFACE ${ASIO_HEADERS})
target_compile_definitions(nightdrop_asio INTERFACE ASIO_STANDALONE ASIO_NO_DEPRECATED)
target_link_libraries(nightdrop_asio INTERFACE Threads::Threads)
add_library(asio::asio ALIAS nightdrop_asio)

find_path(CLI11_HEADERS CLI/CLI.hpp REQUIRED)
add_library(nightdrop_cli11 INTERFACE)
target_include_directories(nightdrop_cli11 SYSTEM INTERFACE ${CLI11_HEADERS})
add_library(CLI11::CLI11 ALIAS nightdrop_cli11)

find_path(HTTPLIB_HEADERS httplib.h REQUIRED)
find_library(HTTPLIB cpp-httplib REQUIRED)
add_library(nightdrop_httplib INTERFACE)
target_include_directories(nightdrop_httplib SYSTEM INTERFACE ${HTTPLIB_HEADERS})
target_link_libraries(nightdrop_httplib INTERFACE ${HTTPLIB} PkgConfig::OPENSSL Threads::Threads)
target_compile_definitions(nightdrop_httplib INTERFACE CPPHTTPLIB_OPENSSL_SUPPORT)
add_library(httplib::httplib ALIAS nightdrop_httplib)

# Cryptoki's header alone; the module is loaded at run time.
pkg_check_modules(P11KIT REQUIRED p11-kit-1)
add_library(nightdrop_cryptoki INTERFACE)
target_include_directories(nightdrop_cryptoki SYSTEM INTERFACE ${P11KIT_INCLUDE_DIRS})
add_library(p11kit::headers ALIAS nightdrop_cryptoki)

pkg_check_modules(QRENCODE REQUIRED IMPORTED_TARGET libqrencode)
add_library(qrencode::qrencode ALIAS PkgConfig::QRENCODE)
pkg_check_modules(PNG REQUIRED IMPORTED_TARGET libpng)
add_library(png::png ALIAS PkgConfig::PNG)
