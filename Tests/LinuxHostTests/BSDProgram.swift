import Foundation
import Namespaces
import TestSupport

/// A program that was written for BSD, running under `divert exec` in B, behind port 2000.
struct BSDProgram {
  private let process: LeashedProcess
  private let host: LinuxScenario

  /// Returns when the program says that it is ready.
  init(_ words: [String], in host: LinuxScenario) throws {
    self.host = host
    process = try host.b.start(
      [Programs.path("divert"), "exec", "--"] + words, environment: host.daemon.environment)
    var line = ""
    while line != "ready" { line = try process.line() }
  }

  /// `Tests/BSDClient`, which takes the number by which it opens its sockets, and what to do.
  init(client number: Int, _ what: String, count: Int, in host: LinuxScenario) throws {
    try self.init([Self.client, String(number), what, "2000", String(count)], in: host)
  }

  static let client = Programs.path("BSDClient")

  func kill() {
    process.signal(SIGKILL)
    process.result()
  }

  /// Pings B, or another, while the program runs, then waits for its end.
  ///
  /// - Returns: How many pings were answered, the lines that the program has printed, and its exit status. What it has
  ///   to complain of is a line, too.
  func ping(
    _ count: Int, _ destination: String = "192.0.2.2"
  ) throws -> (answered: Int, lines: [String], status: Int32) {
    let answered = try host.ping(destination, count: count)
    let (lines, status) = end()
    return (answered, lines, status)
  }

  /// Waits for its end.
  func end() -> (lines: [String], status: Int32) {
    let result = process.result()
    return ((result.output + result.errors).split(separator: "\n").map(String.init), result.status)
  }
}

extension LinuxScenario {
  /// Runs a program under `divert exec` to its end.
  func divertExec(_ words: [String], expecting status: Int32? = 0) throws -> ProcessResult {
    try b.run(
      [Programs.path("divert"), "exec", "--"] + words, environment: daemon.environment, expecting: status)
  }
}
