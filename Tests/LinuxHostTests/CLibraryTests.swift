import Foundation
import Namespaces
import TestSupport
import Testing

/// libdivert as it is installed: built by its script, used as divert(3) says.
@Suite(.serialized) struct CLibraryTests {
  private let directory = FileManager.default.temporaryDirectory.appending(
    path: "library-\(UUID().uuidString)"
  )
  .path
  private let host: LinuxScenario

  /// This file is Tests/LinuxHostTests/CLibraryTests.swift.
  private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

  init() throws {
    host = try LinuxScenario()
    try host.ipfw("add 100 divert 2000 icmp from any to any in")
    try host.b.run("\(root)/scripts/build-library", directory)
  }

  /// The program in the manual page, as it stands there.
  private func example() throws -> String {
    let page = try readPage("docs/man/divert.3")
    let start = try #require(page.firstRange(of: "#include <arpa/inet.h>"))
    let end = try #require(page[start.lowerBound...].firstRange(of: ".Ed"))
    return String(page[start.lowerBound..<end.lowerBound])
  }

  private func compile(_ source: String, _ name: String, _ options: [String]) throws -> String {
    try source.write(toFile: "\(directory)/\(name).c", atomically: true, encoding: .utf8)
    let program = "\(directory)/\(name)"
    try host.b.run(
      [
        "sh", "-c", #"cc=cc; command -v cc >/dev/null || cc=clang; exec $cc "$@""#, "sh", "-Wall", "-Werror",
        "-I\(root)/Sources/libdivert/core/include", "-o", program, "\(directory)/\(name).c",
      ] + options)
    return program
  }

  /// A program that is about to open its port: until it has, there is no link, and pings are dropped.
  private func expectPassing(_ program: String, _ size: Int = 56) throws {
    let process = try host.b.start([program], environment: host.daemon.environment)
    defer { process.signal(SIGKILL) }
    while try host.b.run(["ip", "link", "show", "divert2000"], expecting: nil).status != 0 {}
    var tries = 0
    while try host.ping("192.0.2.2", count: 1) == 0, tries < 20 { tries += 1 }
    let answered = try host.ping("192.0.2.2", count: 3)
    #expect(answered == 3)
    let long = try host.a.run(
      ["ping", "-c", "2", "-i", "0.02", "-s", "1200", "-W", "1", "192.0.2.2"], expecting: 1)
    #expect(long.output.contains("100% packet loss"))
  }

  @Test func `the manual page's program, shared, static and whole`() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let example = try example()
    for (name, options) in [
      ("shared", ["-L\(directory)", "-ldivert", "-Wl,-rpath,\(directory)"]),
      ("static", ["\(directory)/libdivert.a"]), ("whole", ["-static", "\(directory)/libdivert.a"]),
    ] {
      try expectPassing(try compile(example, name, options))
    }
  }

  @Test(arguments: ["c99", "c11", "gnu17", "c++98", "c++17"])
  func `the header by itself, in any C and C++`(_ standard: String) throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try "#include <divert.h>\nint main() { return divert_is_socket(IPPROTO_DIVERT); }\n".write(
      toFile: "\(directory)/header", atomically: true, encoding: .utf8)
    let language = standard.contains("++") ? "c++" : "c"
    try host.b.run([
      "sh", "-c", #"cc=cc; command -v cc >/dev/null || cc=clang; exec $cc "$@""#, "sh", "-std=\(standard)",
      "-Wall",
      "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-I\(root)/Sources/libdivert/core/include", "-x",
      language, "\(directory)/header",
    ])
  }

  @Test func `what the libraries export`() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let header = try readPage("Sources/libdivert/core/include/divert.h")
    let declared = header.matches(of: #/\b(divert_\w+)\(/#).map { String($0.output.1) }
    #expect(declared.count == 13)
    for options in ["-D \(directory)/libdivert.so.1", "-g \(directory)/libdivert.a"] {
      let names = try host.b.run("sh", "-c", "nm --defined-only \(options) | awk 'NF == 3 { print $3 }'")
        .output
      #expect(names.split(separator: "\n").map(String.init).sorted() == declared.sorted())
    }
    let dynamic = try host.b.run("readelf", "-d", "\(directory)/libdivert.so.1").output
    #expect(dynamic.contains("soname: [libdivert.so.1]"))
    #expect(dynamic.matches(of: #/\(NEEDED\)/#).count == 1, "nothing but the C library: \(dynamic)")
  }

  /// The manual page's last line.
  @Test(.enabled(if: hasPackageConfiguration, "needs pkg-config"))
  func `as it is installed, by pkg-config`() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try host.b.run(
      "make", "-s", "-C", root, "install-library", "DESTDIR=\(directory)/root", "PREFIX=/opt/divert")
    try example().write(toFile: "\(directory)/pass.c", atomically: true, encoding: .utf8)
    let place = "\(directory)/root/opt/divert"
    let environment = [
      "PKG_CONFIG_SYSROOT_DIR": "\(directory)/root", "PKG_CONFIG_PATH": "\(place)/lib/pkgconfig",
    ]
    let compile = "cc=cc; command -v cc >/dev/null || cc=clang; cd \(directory) && "
    for (name, options) in [("shared", "-Wl,-rpath,\(place)/lib"), ("static", "-static")] {
      try host.b.run(
        ["sh", "-c", compile + "$cc -o \(name) pass.c $(pkg-config --cflags --libs libdivert) \(options)"],
        environment: environment)
      try expectPassing("\(directory)/\(name)")
    }
    #expect(FileManager.default.fileExists(atPath: "\(place)/share/man/man3/divert.3"))
  }

  @Test func `a BSD program that is linked with the preload library needs no divert exec`() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let source = try example().replacing("divert_", with: "").replacing(
      "<divert.h>", with: "<netinet/ip_divert.h>")
    #expect(source.contains("int s = socket(PF_INET, SOCK_RAW, IPPROTO_DIVERT)"))
    try expectPassing(
      try compile(source, "linked", ["-L\(directory)", "-ldivert-preload", "-Wl,-rpath,\(directory)"]))
  }

  @Test func `divert exec finds the library where it is installed`() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try host.b.run(
      "sh", "-c",
      "cd \(directory) && mkdir bin lib && cp \(Programs.path("divert")) bin && mv libdivert-preload.so lib")
    let words = ["\(directory)/bin/divert", "exec", "--", "sh", "-c", "echo $LD_PRELOAD"]
    let environment = host.daemon.environment.merging(["LD_PRELOAD": "libc.so.6"]) { $1 }
    let found = try host.b.run(words, environment: environment)
    #expect(found.output == "\(directory)/lib/libdivert-preload.so:libc.so.6\n" && found.errors.isEmpty)
    let other = try host.b.run(
      ["\(directory)/bin/divert", "exec", "--", BSDProgram.client, "254", "inject", "0"],
      environment: host.daemon.environment)
    #expect(other.status == 0 && other.errors.isEmpty)
    try host.b.run("rm", "\(directory)/lib/libdivert-preload.so")
    let missing = try host.b.run(words, environment: host.daemon.environment, expecting: 69)
    #expect(missing.errors.contains("install it again"))
  }

  @Test func `counters`() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let source = """
      #include <divert.h>
      #include <arpa/inet.h>
      #include <stdio.h>
      #include <string.h>
      #include <unistd.h>
      int main(void) {
        char packet[65535];
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(2000)};
        int s = divert_socket(PF_DIVERT, SOCK_RAW | SOCK_CLOEXEC, 0), size = 4096;
        divert_setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        if (divert_bind(s, (struct sockaddr *)&address, sizeof address) != 0) return 1;
        puts("ready"); fflush(stdout);
        struct divert_counters counters = {0};
        do divert_counters(s, &counters), usleep(1000); while (counters.dropped == 0);
        socklen_t length = sizeof address;
        long n = divert_recvfrom(s, packet, sizeof packet, 0, (struct sockaddr *)&address, &length);
        divert_sendto(s, packet, n, 0, (struct sockaddr *)&address, length);
        packet[10]++;
        divert_sendto(s, packet, n, 0, (struct sockaddr *)&address, length);
        memset(&address.sin_addr, 0, sizeof address.sin_addr + sizeof address.sin_zero);
        inet_pton(AF_INET, "203.0.113.1", packet + 16);
        divert_sendto(s, packet, n, 0, (struct sockaddr *)&address, length);
        inet_pton(AF_INET, "192.0.2.1", packet + 16);
        divert_sendto(s, packet, n, 0, (struct sockaddr *)&address, length);
        divert_counters(s, &counters);
        printf("%d in %d out %d refused %d bad %d is %d %d\\n", counters.dropped > 0 && counters.waiting > 0,
               (int)counters.incoming, (int)counters.outgoing, (int)counters.refused, (int)counters.bad_checksum,
               divert_is_socket(s), divert_is_socket(0));
      }
      """
    let program = try compile(source, "counters", ["\(directory)/libdivert.a"])
    let process = try host.b.start([program], environment: host.daemon.environment)
    #expect(try process.line() == "ready")
    _ = try host.ping("192.0.2.2", count: 20)
    let counted = try process.line()
    #expect(counted == "1 in 2 out 1 refused 1 bad 1 is 1 0")
  }
}

private let hasPackageConfiguration = access("/usr/bin/pkg-config", X_OK) == 0
