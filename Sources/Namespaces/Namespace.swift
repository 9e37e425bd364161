import CSystem
import Glibc

/// A network namespace of its own, without a name: it lives by a process that ends with this one, however this one
/// ends, and so does everything that was started in it.
package final class Namespace: Sendable {
  private let holder: LeashedProcess
  /// Of the process that holds it, to reach it as `/proc/PID/ns/net`.
  package let path: String

  package init() throws {
    holder = try LeashedProcess([
      "unshare", "--net", "sh", "-c", "ip link set lo up; echo ready; exec sleep 3600",
    ])
    _ = try holder.line()
    // unshare and sh have become the sleep: the process on the leash is the one in the namespace.
    path = "/proc/\(holder.identifier)/ns/net"
  }

  /// Runs a program in the namespace to its end.
  @discardableResult
  package func run(
    _ words: String..., environment: [String: String] = [:], expecting status: Int32? = 0
  ) throws -> ProcessResult {
    try run(words, environment: environment, expecting: status)
  }

  @discardableResult
  package func run(
    _ words: [String], environment: [String: String] = [:], expecting status: Int32? = 0
  ) throws -> ProcessResult {
    let process = try start(words, environment: environment)
    let result = process.result()
    if let status, result.status != status {
      throw ProcessFailure(words: words, result: result)
    }
    return result
  }

  /// Starts a program in the namespace.
  package func start(_ words: [String], environment: [String: String] = [:]) throws -> LeashedProcess {
    try LeashedProcess(["nsenter", "--net=\(path)", "--"] + words, environment: environment)
  }

  /// Does something with this thread inside the namespace. The thread comes back, or the process ends: any other
  /// work on it would be somewhere else than it thinks.
  package func entered<Result: ~Copyable>(_ body: () throws -> Result) throws -> Result {
    let home = unsafe open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
    let target = unsafe open(path, O_RDONLY | O_CLOEXEC)
    defer {
      close(home)
      close(target)
    }
    guard home >= 0, target >= 0, csystem_setns(target, 0x4000_0000) == 0 else {
      throw ProcessFailure(
        words: ["setns", path], result: ProcessResult(status: errno, output: "", errors: ""))
    }
    defer {
      guard csystem_setns(home, 0x4000_0000) == 0 else { fatalError("cannot come back from a namespace") }
    }
    return try body()
  }

  /// Joins two namespaces by a veth pair, both ends up.
  package static func connect(
    _ left: Namespace, _ leftName: String, _ leftAddress: String, _ right: Namespace, _ rightName: String,
    _ rightAddress: String
  ) throws {
    let peer = right.path.split(separator: "/")[1]
    try left.run(
      "ip", "link", "add", leftName, "type", "veth", "peer", "name", rightName, "netns", String(peer))
    try left.run("ip", "addr", "add", leftAddress, "dev", leftName)
    try right.run("ip", "addr", "add", rightAddress, "dev", rightName)
    try left.run("ip", "link", "set", leftName, "up")
    try right.run("ip", "link", "set", rightName, "up")
  }
}

package struct ProcessResult: Sendable {
  package let status: Int32
  package let output: String
  package let errors: String

  package init(status: Int32, output: String, errors: String) {
    (self.status, self.output, self.errors) = (status, output, errors)
  }
}

package struct ProcessFailure: Error, CustomStringConvertible {
  package let words: [String]
  package let result: ProcessResult

  package init(words: [String], result: ProcessResult) {
    (self.words, self.result) = (words, result)
  }

  package var description: String {
    "`\(words.joined(separator: " "))` ended with \(result.status): \(result.errors)\(result.output)"
  }
}
