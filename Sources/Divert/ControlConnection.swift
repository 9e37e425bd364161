package import DivertWire
import Glibc
package import Kernel

/// A connection to divertd: one question, one answer, in turn.
package struct ControlConnection: ~Copyable, Sendable {
  package let descriptor: Descriptor
  private var received: [UInt8] = []
  private var receivedDescriptor: Descriptor?

  /// Where divertd listens unless it is told otherwise.
  package static let usualPath = "/run/divertd.sock"

  /// DIVERT_SOCKET from the environment, or the usual path.
  package static var path: String {
    guard let path = unsafe getenv("DIVERT_SOCKET") else { return usualPath }
    return unsafe String(cString: path)
  }

  package init(path: String) throws(SystemError) {
    do throws(SystemError) {
      descriptor = try UnixSocket.connect(to: path)
    } catch {
      guard error.code == ENOENT || error.code == ECONNREFUSED else { throw error }
      throw SystemError(
        "reach divertd at \(path)", code: error.code,
        advice: "start divertd, or say with DIVERT_SOCKET or --socket where it listens")
    }
  }

  /// Sends a message and waits for the answer.
  package mutating func ask(
    _ message: ControlMessage, descriptor sent: CInt? = nil
  ) throws(SystemError) -> ControlMessage {
    try UnixSocket.send(message.bytes, descriptor: sent, on: descriptor)
    while true {
      let answer: ControlMessage?
      do throws(ControlMessageError) {
        answer = try ControlMessage.next(from: &received)
      } catch {
        throw SystemError(
          "understand divertd", code: EPROTO, advice: "is it of another version than this program?")
      }
      if let answer {
        if case .failed(let code, let text) = answer { throw SystemError(answered: text, code: code) }
        return answer
      }
      let (bytes, number) = try UnixSocket.receive(on: descriptor)
      if let number { receivedDescriptor = Descriptor(owning: number) }
      guard !bytes.isEmpty else {
        throw SystemError("hear from divertd", code: ECONNRESET, advice: "divertd has ended; start it again")
      }
      received += bytes
    }
  }

  /// The descriptor that came with the last answer.
  package mutating func takeDescriptor() -> Descriptor? { receivedDescriptor.take() }
}

extension SystemError {
  /// What divertd said: its text names action and advice, separated as in ``description``.
  fileprivate init(answered text: String, code: Int32) {
    let parts = text.split(separator: "; ", maxSplits: 1)
    self.init(
      String(parts.first ?? "ask divertd"), code: code, advice: parts.count > 1 ? String(parts[1]) : nil)
  }
}
