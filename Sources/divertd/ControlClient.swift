import DivertWire
import Glibc
import Kernel

/// A program at the other end of a control connection: what it has said, and what it has yet to hear.
final class ControlClient {
  let descriptor: Descriptor
  let credentials: UnixSocket.PeerCredentials
  private var received: [UInt8] = []
  private var handedOver: Descriptor?
  private var unsent: [UInt8] = []

  init?(_ descriptor: consuming Descriptor) {
    guard let credentials = try? UnixSocket.peerCredentials(descriptor) else { return nil }
    self.credentials = credentials
    self.descriptor = descriptor
  }

  /// The superuser may send rule files; of others nothing long is expected, and they are not to fill our memory.
  private var longestMessage: Int { credentials.user == 0 ? ControlMessage.maximumLength : 65_536 }
  private static let mostUnsent = 64 << 20

  var waitsForRoom: Bool { !unsent.isEmpty }

  /// Reads what has come.
  ///
  /// - Returns: Whether the connection goes on.
  func read() -> Bool {
    guard let (bytes, number) = try? UnixSocket.receive(on: descriptor) else { return false }
    if let number { handedOver = Descriptor(owning: number) }
    received += bytes
    return !bytes.isEmpty && received.count <= longestMessage
  }

  /// The next whole message, nil while there is none; throws for what is none.
  func nextMessage() throws(ControlMessageError) -> ControlMessage? {
    try ControlMessage.next(from: &received)
  }

  /// The socket that came with the message.
  ///
  /// - Throws: `EBADF` where none has come.
  func takeSocket(_ action: @autoclosure () -> String) throws(SystemError) -> Descriptor {
    guard let socket = handedOver.take() else { throw SystemError(action(), code: EBADF) }
    return socket
  }

  /// Answers; what the connection does not take at once waits, since nobody may keep divertd waiting.
  func send(_ message: ControlMessage, descriptor sent: CInt? = nil) -> Bool {
    let bytes = message.bytes
    guard unsent.isEmpty else {
      unsent += bytes
      return sent == nil && unsent.count <= Self.mostUnsent
    }
    guard let count = UnixSocket.sendWithoutWaiting(bytes[...], descriptor: sent, on: descriptor) else {
      return false
    }
    unsent = Array(bytes[count...])
    return true
  }

  /// Sends more of what waits.
  func flush() -> Bool {
    guard let count = UnixSocket.sendWithoutWaiting(unsent[...], on: descriptor) else { return false }
    unsent.removeFirst(count)
    return true
  }
}
