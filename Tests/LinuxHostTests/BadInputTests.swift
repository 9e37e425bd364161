import Foundation
import Namespaces
import TestSupport
import Testing

/// One clear line each, an exit status that is not 0, and nothing changed.
@Suite(.serialized) struct BadInputTests {
  @Test func `two divertd, in one place or one namespace`() throws {
    let host = try LinuxScenario()
    try host.ipfw("add 100 count ip from any to any")
    let same = try host.b.run([Programs.path("divertd"), "--socket", host.daemon.socket], expecting: 69)
    expectOneLine(same.errors, saying: "running already")
    let other = try host.b.run(
      [Programs.path("divertd"), "--foreground", "--socket", host.daemon.socket + "2"], expecting: 69)
    expectOneLine(other.errors, saying: "another divertd serves this network namespace")
    #expect(try host.ipfw("list") == "00100 count ip from any to any\n65535 allow ip from any to any\n")
  }

  @Test func `without root`() throws {
    let host = try LinuxScenario()
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    // Nobody may not look into the tests' own directories; copies of the programs he may run.
    let directory = "/tmp/divert-nobody-\(getpid())"
    try host.b.run(
      "sh", "-c",
      "mkdir -m 755 \(directory) && cp \(["divertd", "ipfw", "divert"].map(Programs.path).joined(separator: " ")) \(directory)"
    )
    defer { _ = try? host.b.run("rm", "-r", directory) }
    try host.b.run("chmod", "755", URL(fileURLWithPath: host.daemon.socket).deletingLastPathComponent().path)

    let divertd = try host.b.run(nobody + ["\(directory)/divertd"], expecting: 77)
    expectOneLine(divertd.errors, saying: "run it as root")
    let ipfw = try host.b.run(
      nobody + ["\(directory)/ipfw", "add", "100", "deny", "ip", "from", "any", "to", "any"],
      environment: host.daemon.environment, expecting: 69)
    expectOneLine(ipfw.errors, saying: "Operation not permitted")
    let divert = try host.b.run(
      nobody + ["\(directory)/divert", "pass", "2000"], environment: host.daemon.environment, expecting: 77)
    expectOneLine(divert.errors, saying: "Operation not permitted")
    #expect(try host.ipfw("list") == "65535 allow ip from any to any\n")
    let test = try host.b.run(
      nobody + ["\(directory)/ipfw", "-n", "add", "100", "deny", "ip", "from", "any", "to", "any"])
    #expect(test.output == "00100 deny ip from any to any\n")
  }

  @Test func `without divertd`() throws {
    let namespace = try Namespace()
    let environment = ["DIVERT_SOCKET": "/tmp/divert-nowhere-\(getpid()).sock"]
    for words in [["divert", "pass", "2000"], ["ipfw", "list"]] {
      let result = try namespace.run(
        [Programs.path(words[0])] + words.dropFirst(), environment: environment, expecting: 69)
      expectOneLine(result.errors, saying: "start divertd")
    }
  }

  static let wrongRules: [(text: String, saying: String)] = [
    (
      "add 100 count ip from any to any\n\n\n\n\n\nadd 700 alow ip from any to any\n",
      "Line 7: invalid action alow"
    ),
    ("add 100 allow ip from any to 300.1.1.1\n", "Line 1: hostname"),
    ("add 100 allow tpc from any to any\n", "Line 1: unrecognised option [-1] tpc"),
    ("add 100 allow in\nadd 200 reset tcp from any to any\n", "Line 2: not supported yet: reset"),
    ("add 100 allow in\nadd 200 deny ip from localhost to any\n", "Line 2: hostname ``localhost'' unknown"),
  ]

  @Test(arguments: wrongRules) func `a rules file with an error`(_ row: (text: String, saying: String)) throws
  {
    let namespace = try Namespace()
    let path = FileManager.default.temporaryDirectory.appending(path: "divert-rules-\(UUID().uuidString)")
      .path
    try row.text.write(toFile: path, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    let before = try namespace.run("ip", "-o", "link").output
    let result = try namespace.run(
      [Programs.path("divertd"), "--foreground", "--rules", path, "--socket", path + ".sock"], expecting: nil)
    #expect(result.status != 0)
    expectOneLine(result.errors, saying: row.saying)
    #expect(try namespace.run("ip", "-o", "link").output == before)
  }

  @Test(arguments: [("/nowhere", "No such file or directory"), ("/tmp", "Is a directory")])
  func `a rules file that cannot be read`(_ row: (path: String, reason: String)) throws {
    let namespace = try Namespace()
    let result = try namespace.run(
      [Programs.path("divertd"), "--foreground", "--rules", row.path], expecting: 64)
    #expect(result.errors == "divertd: pathname: \(row.path): \(row.reason)\n")
  }

  @Test func `unknown rule words change nothing`() throws {
    let host = try LinuxScenario()
    for rule in [
      "add 100 foo ip from any to any", "add 100 allow ip from any to any bar",
      "add 100 divert 0 ip from any to any",
    ] {
      let result = try host.b.run(
        [Programs.path("ipfw")] + rule.split(separator: " ").map(String.init),
        environment: host.daemon.environment,
        expecting: nil)
      #expect(result.status == 64 || result.status == 65, "\(rule)")
      expectOneLine(result.errors, saying: "ipfw: ")
    }
    #expect(try host.ipfw("list") == "65535 allow ip from any to any\n")
  }

  @Test func `nonsense on the control socket ends that connection only`() throws {
    let host = try LinuxScenario()
    for bytes in [
      "\\377\\377\\377\\377", "\\0\\0\\0\\1\\143", "\\0\\0\\0\\3\\2\\0", "\\0\\0\\0\\0",
      "GET / HTTP/1.1\\r\\n\\r\\n",
    ] {
      try host.b.run(
        "sh", "-c", "printf '\(bytes)' | timeout 5 socat -t 0.2 - UNIX-CONNECT:\(host.daemon.socket)")
    }
    #expect(try host.ipfw("list") == "65535 allow ip from any to any\n")
  }

  private func expectOneLine(
    _ text: String, saying words: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(
      text.contains(words) && text.split(separator: "\n").count == 1, "\(text)",
      sourceLocation: sourceLocation)
  }
}
