import CSystem
import Glibc

/// A process that is killed when this one lets go of it or ends, even by SIGKILL: a shell holds it, and the end of a
/// pipe whose other end only this process has.
///
/// All descriptors are close-on-exec: with Foundation's, processes started side by side inherit each other's pipes,
/// and nobody sees their ends.
package final class LeashedProcess: @unchecked Sendable {
  private let shell: pid_t
  private var leash: CInt
  private let output: CInt
  private let errors: CInt
  private var read: [UInt8] = []
  private var readErrors: [UInt8] = []
  private var status: CInt?
  /// Of the program itself.
  package let identifier: Int32
  private let words: [String]

  /// The shell starts the program without the leash (its standard input), tells its number on descriptor 3, and waits
  /// for either end.
  private static let script = """
    exec 4<&0; "$@" </dev/null 3>&- 4<&- & child=$!; echo $child >&3; exec 3>&-
    { read -r _ <&4; kill -9 $child; } >/dev/null 2>&1 & watcher=$!
    wait $child; status=$?; kill $watcher 2>/dev/null; exit $status
    """

  package init(_ words: [String], environment: [String: String] = [:]) throws {
    let (leash, output, errors, number) = (Pipe(), Pipe(), Pipe(), Pipe())
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (descriptor, target) in [
      (leash.reading, 0), (output.writing, 1), (errors.writing, 2), (number.writing, 3),
    ] {
      posix_spawn_file_actions_adddup2(&actions, descriptor, CInt(target))
    }
    // Worker threads have all signals blocked, and a shell that inherits that never hears of its child's end.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, 0x08)  // POSIX_SPAWN_SETSIGMASK
    var arguments = (["/bin/sh", "-c", Self.script, "leash"] + words).map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup("\($0.key)=\($0.value)") }
    var next = environ
    while let variable = next.pointee {
      variables.append(strdup(variable))
      next += 1
    }
    variables.append(nil)
    defer { for pointer in arguments + variables { free(pointer) } }
    var shell: pid_t = 0
    let code = posix_spawn(&shell, "/bin/sh", &actions, &attributes, &arguments, &variables)
    for end in [leash.reading, output.writing, errors.writing, number.writing] { close(end) }
    guard code == 0 else {
      throw ProcessFailure(
        words: words, result: ProcessResult(status: code, output: "", errors: "cannot be started"))
    }
    self.words = words
    self.shell = shell
    (self.leash, self.output, self.errors) = (leash.writing, output.reading, errors.reading)
    identifier = pid_t(String(decoding: Self.all(of: number.reading).dropLast(), as: UTF8.self)) ?? 0
    close(number.reading)
  }

  deinit {
    letGo()
    _ = end()
    close(output)
    close(errors)
  }

  private func letGo() {
    if leash >= 0 { close(leash) }
    leash = -1
  }

  /// The next line that it prints.
  package func line() throws -> String { try line(of: output, &read) }

  /// The next line that it prints to standard error.
  package func errorLine() throws -> String { try line(of: errors, &readErrors) }

  private func line(of descriptor: CInt, _ read: inout [UInt8]) throws -> String {
    while true {
      if let end = read.firstIndex(of: 10) {
        defer { read.removeFirst(end + 1) }
        return String(decoding: read[..<end], as: UTF8.self)
      }
      let more = Self.some(of: descriptor)
      guard !more.isEmpty else {
        throw ProcessFailure(
          words: words, result: ProcessResult(status: end(), output: "", errors: "no more lines"))
      }
      read += more
    }
  }

  package func signal(_ signal: CInt) { kill(identifier, signal) }

  /// Waits for its end.
  @discardableResult
  package func result() -> ProcessResult {
    read += Self.all(of: output)
    let text = readErrors + Self.all(of: errors)
    return ProcessResult(
      status: end(), output: String(decoding: read, as: UTF8.self),
      errors: String(decoding: text, as: UTF8.self))
  }

  private func end() -> CInt {
    if let status { return status }
    var code: CInt = 0
    while waitpid(shell, &code, 0) == -1, errno == EINTR {}
    let status = code & 0x7f == 0 ? (code >> 8) & 0xff : 128 + (code & 0x7f)
    self.status = status
    return status
  }

  private static func some(of descriptor: CInt) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: 65536)
    var count: Int
    repeat { count = Glibc.read(descriptor, &buffer, buffer.count) } while count == -1 && errno == EINTR
    return Array(buffer.prefix(max(count, 0)))
  }

  private static func all(of descriptor: CInt) -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      let more = some(of: descriptor)
      if more.isEmpty { return bytes }
      bytes += more
    }
  }

  private struct Pipe {
    let reading: CInt
    let writing: CInt

    init() {
      var ends: [CInt] = [-1, -1]
      precondition(csystem_pipe2(&ends, O_CLOEXEC) == 0)
      (reading, writing) = (ends[0], ends[1])
    }
  }
}

/// The programs that are built with the tests.
package enum Programs {
  /// Where the tests' own binary is, the others are: `swift test` runs the tests as a program or as a library that its
  /// helper loads.
  package static let directory: String = {
    let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
    return bundle.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
  }()

  package static func path(_ name: String) -> String { "\(directory)/\(name)" }
}
