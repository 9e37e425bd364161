import Glibc
import Kernel
import Synchronization

/// A process that is killed when this one lets go of it or ends, even by SIGKILL: a shell holds it, and the end of a
/// pipe whose other end only this process has.
package final class LeashedProcess: Sendable {
  private let words: [String]
  private let shell: Int32
  /// Of the program itself.
  package let identifier: Int32
  private let leash: Mutex<Descriptor?>
  private let output: Stream
  private let errors: Stream
  private let status = Mutex<CInt?>(nil)

  /// The shell starts the program without the leash (its standard input), tells its number on descriptor 3, and waits
  /// for either end.
  private static let script = """
    exec 4<&0; "$@" </dev/null 3>&- 4<&- & child=$!; echo $child >&3; exec 3>&-
    { read -r _ <&4; kill -9 $child; } >/dev/null 2>&1 & watcher=$!
    wait $child; status=$?; kill $watcher 2>/dev/null; exit $status
    """

  /// - Parameter environment: Variables beside those of this process.
  package init(_ words: [String], environment: [String: String] = [:]) throws {
    let leash = try Pipe()
    let output = try Pipe()
    let errors = try Pipe()
    let number = try Pipe()
    shell = try spawn(
      "/bin/sh", ["sh", "-c", Self.script, "leash"] + words,
      variables: environment.map { "\($0.key)=\($0.value)" },
      descriptors: [
        (leash.reading.number, 0), (output.writing.number, 1), (errors.writing.number, 2),
        (number.writing.number, 3),
      ],
      // Ctrl-C is for this process; what hangs on it ends with it, and only then.
      inNewSession: true)
    self.words = words
    self.leash = Mutex(leash.keepWriting())
    self.output = Stream(output.keepReading())
    self.errors = Stream(errors.keepReading())
    let reading = number.keepReading()
    identifier = Int32(String(decoding: readSome(of: reading).dropLast(), as: UTF8.self)) ?? 0
  }

  deinit {
    leash.withLock { $0 = nil }
    _ = end()
  }

  /// The next line that it prints.
  package func line() throws -> String { try line(of: output) }

  /// The next line that it prints; if that takes too long, it is killed.
  package func line(within limit: Duration) throws -> String {
    guard output.hasMore(until: .now + limit) else { throw killed(after: limit) }
    return try line(of: output)
  }

  /// The next line that it prints to standard error.
  package func errorLine() throws -> String { try line(of: errors) }

  private func line(of stream: Stream) throws -> String {
    guard let line = stream.line() else {
      let told = errors.rest()
      throw ProcessFailure(
        words: words,
        result: ProcessResult(status: end(), output: "", errors: told.isEmpty ? "no more lines" : told))
    }
    return line
  }

  package func signal(_ signal: CInt) { kill(identifier, signal) }

  /// Waits for its end.
  @discardableResult
  package func result() -> ProcessResult {
    let (output, errors) = (output.rest(), errors.rest())
    return ProcessResult(status: end(), output: output, errors: errors)
  }

  /// Waits for its end, and kills it when that takes too long.
  package func result(within limit: Duration) throws(ProcessFailure) -> ProcessResult {
    let deadline = ContinuousClock.now + limit
    guard let output = output.rest(until: deadline), let errors = errors.rest(until: deadline) else {
      throw killed(after: limit)
    }
    return ProcessResult(status: end(), output: output, errors: errors)
  }

  private func killed(after limit: Duration) -> ProcessFailure {
    signal(SIGKILL)
    return ProcessFailure(
      words: words, result: ProcessResult(status: end(), output: "", errors: "took longer than \(limit)"))
  }

  private func end() -> CInt {
    status.withLock { status in
      let end = status ?? waitForEnd(of: shell)
      status = end
      return end
    }
  }

  /// What comes out of a pipe, by lines or whole.
  private final class Stream: Sendable {
    private let descriptor: Descriptor
    private let read = Mutex<[UInt8]>([])

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    func line() -> String? {
      read.withLock { read in
        while true {
          if let end = read.firstIndex(of: 10) {
            defer { read.removeFirst(end + 1) }
            return String(decoding: read[..<end], as: UTF8.self)
          }
          let more = readSome(of: descriptor)
          if more.isEmpty { return nil }
          read += more
        }
      }
    }

    /// Whether there is something to read, or the end, by then.
    func hasMore(until deadline: ContinuousClock.Instant) -> Bool {
      read.withLock { read in
        !read.isEmpty || (try? waitForInput(on: descriptor.number, until: deadline)) == true
      }
    }

    func rest() -> String { rest(until: nil) ?? "" }

    func rest(until deadline: ContinuousClock.Instant?) -> String? {
      read.withLock { read in
        while (try? waitForInput(on: descriptor.number, until: deadline)) == true {
          let more = readSome(of: descriptor)
          if more.isEmpty { return String(decoding: read, as: UTF8.self) }
          read += more
        }
        return nil
      }
    }
  }
}

/// The programs beside this one.
package enum Programs {
  /// `swift test` runs tests as a program or as a library that a helper loads.
  package static let directory: String = {
    let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
    let parts = bundle.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    return parts.isEmpty ? "/usr/local/bin" : parts.joined(separator: "/")
  }()

  package static func path(_ name: String) -> String { "\(directory)/\(name)" }
}
