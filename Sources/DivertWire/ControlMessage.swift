/// What clients and divertd say to each other over the control socket; docs/control-messages.md has the same for people.
///
/// On the stream a message is: length of what follows (4 bytes), kind (1 byte), body. Integers are in network byte
/// order, texts are UTF-8. A descriptor travels with the first byte of its message.
public enum ControlMessage: Equatable, Sendable {
  /// Asks for a divert socket; answered with `opened` and the socket.
  case open
  /// Asks to bind the socket that travels along; port 0 asks for any free one.
  case bind(port: UInt16)
  /// An ipfw command line, word by word.
  case ipfw(words: [String])
  /// Asks where the hooks count what the socket that travels along writes.
  case counts
  /// Says what the socket that travels along wants; answered with `done`.
  case options(SocketOptions)
  /// Says what happens to packets for a port that nobody has bound; answered with `done`.
  case policy(port: UInt16, UnboundPolicy)
  /// Asks what has happened; answered with `told`.
  case statistics
  /// Asks to free the port of the socket that travels along, and to tell the socket its end behind what had been
  /// diverted to it; answered with `done`.
  case release
  /// A socket that can already send to the link `divert0`, by its interface index.
  case opened(link: UInt32)
  /// The socket is on the link of this port.
  case bound(port: UInt16, link: UInt32)
  /// The socket's counts are in this slot of the BPF array that travels along, to be mapped for reading; see
  /// ``SocketCount``.
  case counted(slot: UInt32)
  /// It was done.
  case done
  /// What has happened on the host.
  case told(HostStatistics)
  /// What ipfw prints and how it exits.
  case result(status: Int32, output: String, errors: String)
  /// An errno and what to say about it.
  case failed(code: Int32, text: String)

  /// Messages beyond this are refused: nobody means them.
  public static let maximumLength = 64 << 20

  private var kind: UInt8 {
    switch self {
    case .open: 1
    case .bind: 2
    case .ipfw: 3
    case .counts: 4
    case .options: 5
    case .policy: 6
    case .statistics: 7
    case .release: 9
    case .opened: 129
    case .bound: 130
    case .result: 131
    case .counted: 132
    case .done: 133
    case .told: 134
    case .failed: 255
    }
  }

  /// Whether a socket travels along with messages of this kind from a program: with any other, a descriptor ends the
  /// connection.
  package static func bringsSocket(kind: UInt8) -> Bool {
    [Self.bind(port: 0), .counts, .options([]), .release].contains { $0.kind == kind }
  }

  public var bytes: [UInt8] {
    var body: [UInt8] = [kind]
    switch self {
    case .open, .counts, .statistics, .release, .done: break
    case .options(let options): body.append(options.rawValue)
    case .bind(let port): body.append(port)
    case .policy(let port, let policy):
      body.append(port)
      body.append(policy.rawValue)
    case .ipfw(let words): for word in words { body.append(word) }
    case .opened(let link): body.append(link)
    case .counted(let slot): body.append(slot)
    case .bound(let port, let link):
      body.append(port)
      body.append(link)
    case .result(let status, let output, let errors):
      body.append(UInt32(bitPattern: status))
      body.append(output)
      body.append(errors)
    case .told(let statistics): statistics.write(to: &body)
    case .failed(let code, let text):
      body.append(UInt32(bitPattern: code))
      body.append(text)
    }
    var message: [UInt8] = []
    message.append(UInt32(body.count))
    return message + body
  }

  /// Takes the first message off the bytes that have come.
  ///
  /// - Returns: nil while it is not complete.
  /// - Throws: ``ControlMessageError`` for bytes that are no message: the connection is then of no use any more.
  public static func next(from bytes: inout [UInt8]) throws(ControlMessageError) -> ControlMessage? {
    var reader = MessageReader(bytes: bytes[...])
    guard let length = reader.integer(UInt32.self) else { return nil }
    guard length >= 1, length <= maximumLength else { throw ControlMessageError() }
    guard reader.bytes.count >= Int(length) else { return nil }
    let end = 4 + Int(length)
    reader.bytes = bytes[4..<end]
    guard let message = read(&reader), reader.bytes.isEmpty else { throw ControlMessageError() }
    bytes.removeFirst(end)
    return message
  }

  private static func read(_ reader: inout MessageReader) -> ControlMessage? {
    switch reader.integer(UInt8.self) {
    case 1: return .open
    case 2: return reader.integer(UInt16.self).map { .bind(port: $0) }
    case 3:
      var words: [String] = []
      while !reader.bytes.isEmpty {
        guard let word = reader.text() else { return nil }
        words.append(word)
      }
      return .ipfw(words: words)
    case 4: return .counts
    case 5: return reader.integer(UInt32.self).map { .options(SocketOptions(rawValue: $0)) }
    case 6:
      guard let port = reader.integer(UInt16.self), let policy = UnboundPolicy(&reader) else { return nil }
      return .policy(port: port, policy)
    case 7: return .statistics
    case 9: return .release
    case 129: return reader.integer(UInt32.self).map { .opened(link: $0) }
    case 130:
      guard let port = reader.integer(UInt16.self), let link = reader.integer(UInt32.self) else { return nil }
      return .bound(port: port, link: link)
    case 131:
      guard let status = reader.integer(UInt32.self), let output = reader.text(), let errors = reader.text()
      else { return nil }
      return .result(status: Int32(bitPattern: status), output: output, errors: errors)
    case 132: return reader.integer(UInt32.self).map { .counted(slot: $0) }
    case 133: return .done
    case 134: return HostStatistics(&reader).map { .told($0) }
    case 255:
      guard let code = reader.integer(UInt32.self), let text = reader.text() else { return nil }
      return .failed(code: Int32(bitPattern: code), text: text)
    default: return nil
    }
  }
}

/// What a divert socket may ask of its host.
public struct SocketOptions: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// Diverted fragments as they are. divert(4), BUGS: reassembly "should probably be a settable socket option".
  public static let fragments = SocketOptions(rawValue: 1)
  /// When it got each packet: SO_TIMESTAMPNS.
  public static let time = SocketOptions(rawValue: 2)
  /// Each packet's mark: SO_RCVMARK.
  public static let mark = SocketOptions(rawValue: 4)
  /// The user who has made each packet: SO_RCVPRIORITY.
  public static let owner = SocketOptions(rawValue: 8)
  /// Those there are in this version.
  package static let all: SocketOptions = [.fragments, .time, .mark, .owner]
}

/// Bytes that are no control message.
public struct ControlMessageError: Error, Equatable, CustomStringConvertible {
  public var description: String { "what came over the control socket is no message of this version" }
}
