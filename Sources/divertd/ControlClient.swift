import DivertWire
import Glibc
import Kernel

/// A program at the other end of a control connection: what it has sent, and what it has yet to read.
///
/// One question is answered after the other. While an answer is made, or waits to be read, nothing more is read: a program
/// that does not read has one answer kept for it, and the kernel's buffers.
final class ControlClient {
  enum Input {
    /// The message has not come whole.
    case nothing
    case message(ControlMessage)
    /// The connection is over, or of no use any more.
    case end
  }

  /// Of this connection only, unlike the number of a descriptor.
  typealias Identifier = UInt64
  let identifier: Identifier
  let number: CInt
  let user: ClientUser
  let privilege: PeerPrivilege
  /// A program that has bound a port may keep its connection for as long as it lives.
  var holdsPort = false
  /// While what the program has asked for is done in the background.
  var waitsForAnswer = false
  private var connection: Descriptor?
  private let closer: Closer
  /// Of the message that comes.
  private var received: [UInt8] = []
  private var messageBegan: ContinuousClock.Instant?
  private var socket: Descriptor?
  private var unsent: ArraySlice<UInt8> = []
  private var unsentDescriptor: SharedDescriptor?
  /// The connection ends when the answer is written.
  private var isEnding = false
  private var lastUse = ContinuousClock.now

  /// - Parameter closer: For what comes from the program.
  init(
    _ connection: consuming Descriptor, _ identifier: Identifier, _ user: ClientUser,
    _ privilege: PeerPrivilege, _ closer: Closer
  ) {
    (self.identifier, number) = (identifier, connection.number)
    (self.user, self.privilege, self.closer) = (user, privilege, closer)
    self.connection = consume connection
  }

  /// Whether it may be read from: what an earlier message has brought is closed first, so that a user has no more open
  /// here than one message brings.
  var isReadable: Bool { !waitsForAnswer && unsent.isEmpty && closer.count == 0 }
  var waitsForRoom: Bool { !unsent.isEmpty }

  /// Hangs up. The program notices at once, while it may take a while to close what it has sent.
  func hangUp(_ hangUps: Closer) {
    if let socket = socket.take() { closer.close(socket) }
    guard let connection = connection.take() else { return }
    _ = shutdown(number, CInt(SHUT_RDWR))
    hangUps.close(connection)
  }

  // MARK: Time

  static let messageLimit = Duration.seconds(10)
  static let idleLimit = Duration.seconds(60)

  /// When a program without privilege is hung up on: half a message is finished soon, an answer is read soon, and a
  /// connection is of some use. The superuser may take any time.
  var deadline: ContinuousClock.Instant? {
    guard !user.isPrivileged, !waitsForAnswer else { return nil }
    if let messageBegan { return messageBegan + Self.messageLimit }
    if !unsent.isEmpty { return lastUse + Self.messageLimit }
    return holdsPort ? nil : lastUse + Self.idleLimit
  }

  // MARK: Reading

  /// Length and kind.
  private static let headLength = 5

  /// The superuser may send rule files; of others nothing long is expected.
  private var longestMessage: Int { user.isPrivileged ? ControlMessage.maximumLength : 1 << 16 }

  /// Reads the next message, as far as it has come.
  func read() -> Input {
    // A message of many megabytes comes in turn with other programs' messages.
    for _ in 0..<16 {
      guard let missing = missingBytes else { return tooLong }
      if missing == 0 { return wholeMessage() }
      guard let count = receive(atMost: min(missing, 1 << 16)) else { return .end }
      if count == 0 { return .nothing }
    }
    return missingBytes == 0 ? wholeMessage() : .nothing
  }

  /// How many bytes the message lacks, the head first; nil for one that is too long.
  private var missingBytes: Int? {
    guard received.count >= Self.headLength else { return Self.headLength - received.count }
    let length = received[..<4].reduce(0) { $0 << 8 | Int($1) }
    return (1...longestMessage).contains(length) ? 4 + length - received.count : nil
  }

  /// Rules that are not the user's to change need not be read to be refused.
  private var tooLong: Input {
    guard !user.isPrivileged, received[4] == ControlMessage.ipfw(words: []).bytes[4] else { return .end }
    isEnding = true
    return .message(.ipfw(words: []))
  }

  private func wholeMessage() -> Input {
    var bytes: [UInt8] = []
    swap(&bytes, &received)
    messageBegan = nil
    lastUse = .now
    do throws(ControlMessageError) {
      return try ControlMessage.next(from: &bytes).map { .message($0) } ?? .end
    } catch {
      return .end
    }
  }

  /// - Returns: How many bytes have come; 0 for none yet, nil at the end of the connection.
  private func receive(atMost count: Int) -> Int? {
    let isHead = received.count < Self.headLength
    do throws(SystemError) {
      let receipt = try UnixSocket.receive(atMost: count, on: number)
      if messageBegan == nil { messageBegan = .now }
      received += receipt.bytes
      if !receipt.descriptors.isEmpty || receipt.hasLostDescriptors {
        guard isHead, isSocketExpected, receipt.descriptors.count == 1, !receipt.hasLostDescriptors,
          let number = receipt.descriptors.first, socket == nil
        else {
          closer.close(receipt.descriptors)
          return nil
        }
        socket = Descriptor(owning: number)
      }
      return receipt.bytes.isEmpty ? nil : receipt.bytes.count
    } catch {
      return error.code == EAGAIN ? 0 : nil
    }
  }

  private var isSocketExpected: Bool {
    received.count == Self.headLength && ControlMessage.bringsSocket(kind: received[4])
  }

  /// Lends the socket that came with the message, and closes it in the background.
  ///
  /// - Throws: `EBADF` where none has come.
  func withSocket<Result>(
    _ action: @autoclosure () -> String, _ body: (borrowing Descriptor) throws(SystemError) -> Result
  ) throws(SystemError) -> Result {
    guard let socket = socket.take() else { throw SystemError(action(), code: EBADF) }
    do throws(SystemError) {
      let result = try body(socket)
      closer.close(socket)
      return result
    } catch {
      closer.close(socket)
      throw error
    }
  }

  // MARK: Answers

  /// Writes an answer; what the connection does not take at once waits.
  ///
  /// - Returns: Whether the connection goes on.
  func send(_ message: ControlMessage, descriptor: SharedDescriptor? = nil) -> Bool {
    // What came with a question that does not want it.
    if let socket = socket.take() { closer.close(socket) }
    unsent = message.bytes[...]
    unsentDescriptor = descriptor
    return flush()
  }

  /// Writes more of the answer that waits.
  func flush() -> Bool {
    guard
      let count = UnixSocket.sendWithoutWaiting(unsent, descriptor: unsentDescriptor?.number, on: number)
    else { return false }
    if count > 0 {
      unsentDescriptor = nil
      unsent = unsent.dropFirst(count)
      lastUse = .now
    }
    return !(unsent.isEmpty && isEnding)
  }
}
