import DivertWire
import Foundation
import Kernel
import Testing

@testable import Divert

/// What a program does where divertd, or what has taken its place, does not answer as it should.
struct ControlConnectionTests {
  /// A place where a thread accepts so many connections, and handles each by `serve`.
  private func place(
    _ connections: Int, _ serve: @escaping @Sendable (Int, borrowing Descriptor) -> Void
  ) throws -> String {
    let path = FileManager.default.temporaryDirectory.appending(path: "divert-\(UUID().uuidString)").path
    let listener = SharedDescriptor(try UnixSocket.listen(at: path))
    let thread = Thread {
      // All are kept until the last has been served.
      var kept: [SharedDescriptor] = []
      for number in 0..<connections {
        var waiting = PollSet()
        waiting.add(listener.number)
        try? waiting.wait(milliseconds: -1)
        guard let accepted = try? UnixSocket.accept(on: listener.number) else { continue }
        let connection = SharedDescriptor(accepted)
        kept.append(connection)
        _ = fcntl(connection.number, F_SETFL, 0)
        let borrowed = Descriptor(owning: connection.number)
        serve(number, borrowed)
        _ = borrowed.release()
      }
      withExtendedLifetime(kept) { try? FileManager.default.removeItem(atPath: path) }
    }
    thread.start()
    return path
  }

  private func refusal(_ path: String, _ message: ControlMessage, limit: Duration = .seconds(60)) throws
    -> SystemError
  {
    var connection = try ControlConnection(path: path, timeLimit: limit)
    return try #require(throws: SystemError.self) { try connection.ask(message) }
  }

  @Test func `no answer within the time limit`() throws {
    // The second connection, and the question whether others are served, are never accepted.
    let path = try place(1) { _, connection in while !readSome(of: connection).isEmpty {} }
    var connection = try ControlConnection(path: path, timeLimit: .milliseconds(100))
    let error = try #require(throws: SystemError.self) { try connection.ask(.open) }
    #expect(error.code == ETIMEDOUT)
    #expect(
      error.description
        == "receive divertd's answer: Connection timed out; is divertd (process \(getpid())) stopped? SIGCONT lets it go on"
    )
    let again = try #require(throws: SystemError.self) { try connection.ask(.open) }
    #expect(again.code == ENOTCONN, "a late answer is not taken for another question's")
    let rules = try refusal(path, .ipfw(words: ["list"]), limit: .milliseconds(100))
    #expect(rules.code == ETIMEDOUT, "and nothing else is answered")
  }

  @Test func `an answer that takes longer than the limit, while others are served`() throws {
    let first = SharedNumber()
    let path = try place(4) { number, connection in
      _ = readSome(of: connection)
      if number == 0 {
        first.value = fcntl(connection.number, F_DUPFD_CLOEXEC, 0)
      } else {
        try? UnixSocket.send(ControlMessage.failed(code: EBADF, text: "count").bytes, on: connection)
      }
      if number == 3 {
        let waiting = Descriptor(owning: first.value)
        try? UnixSocket.send(
          ControlMessage.result(status: 0, output: "done", errors: "").bytes, on: waiting)
      }
    }
    var connection = try ControlConnection(path: path, timeLimit: .milliseconds(100))
    let answer = try connection.ask(.ipfw(words: ["list"]))
    #expect(answer == .result(status: 0, output: "done", errors: ""))
  }

  private final class SharedNumber: @unchecked Sendable { var value: CInt = -1 }

  @Test func `what divertd says before it hangs up is told`() throws {
    // The question finds the connection closed.
    let path = try place(1) { _, connection in
      try? UnixSocket.send(
        ControlMessage.failed(code: EUSERS, text: "connect to divertd; close some").bytes, on: connection)
      _ = shutdown(connection.number, CInt(SHUT_RDWR))
    }
    let error = try refusal(path, .ipfw(words: ["list"]))
    #expect(error == SystemError("connect to divertd", code: EUSERS, advice: "close some"))
  }

  @Test func `no answer but an end`() throws {
    let path = try place(1) { _, connection in _ = shutdown(connection.number, CInt(SHUT_RDWR)) }
    let error = try refusal(path, .open)
    #expect(error.code == ECONNRESET && error.advice == "divertd has ended; start it again")
  }

  @Test func `more descriptors than an answer has are closed`() throws {
    let pipe = try Kernel.Pipe()
    let number = pipe.writing.number
    let path = try place(1) { _, connection in
      _ = readSome(of: connection)
      // Two messages, each with its descriptor.
      for _ in 0..<2 { try? UnixSocket.send([0], descriptor: number, on: connection) }
    }
    #expect(try refusal(path, .open).code == EPROTO)
    // When the last copy of the writing end is closed, the pipe is at its end.
    #expect(readSome(of: pipe.keepReading()).isEmpty)
  }
}
