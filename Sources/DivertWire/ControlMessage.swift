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
  /// A socket that can already send to the link `divert0`, by its interface index.
  case opened(link: UInt32)
  /// The socket is on the link of this port.
  case bound(port: UInt16, link: UInt32)
  /// The socket's counts are in this slot of the BPF array that travels along, to be mapped for reading; see
  /// ``SocketCount``.
  case counted(slot: UInt32)
  /// It was done.
  case done
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
    case .opened: 129
    case .bound: 130
    case .result: 131
    case .counted: 132
    case .done: 133
    case .failed: 255
    }
  }

  public var bytes: [UInt8] {
    var body: [UInt8] = [kind]
    switch self {
    case .open, .counts, .done: break
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
    var reader = Reader(bytes: bytes[...])
    guard let length = reader.integer(UInt32.self) else { return nil }
    guard length >= 1, length <= maximumLength else { throw ControlMessageError() }
    guard reader.bytes.count >= Int(length) else { return nil }
    let end = 4 + Int(length)
    reader.bytes = bytes[4..<end]
    guard let message = read(&reader), reader.bytes.isEmpty else { throw ControlMessageError() }
    bytes.removeFirst(end)
    return message
  }

  private static func read(_ reader: inout Reader) -> ControlMessage? {
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
      guard let port = reader.integer(UInt16.self),
        let policy = reader.integer(UInt8.self).flatMap({ UnboundPolicy(rawValue: $0) })
      else { return nil }
      return .policy(port: port, policy)
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
    case 255:
      guard let code = reader.integer(UInt32.self), let text = reader.text() else { return nil }
      return .failed(code: Int32(bitPattern: code), text: text)
    default: return nil
    }
  }

  private struct Reader {
    var bytes: ArraySlice<UInt8>

    mutating func integer<Integer: FixedWidthInteger>(_ type: Integer.Type) -> Integer? {
      let size = Integer.bitWidth / 8
      guard bytes.count >= size else { return nil }
      defer { bytes = bytes.dropFirst(size) }
      return bytes.prefix(size).reduce(0) { size == 1 ? Integer($1) : $0 << 8 | Integer($1) }
    }

    /// Four bytes of length, then the text.
    mutating func text() -> String? {
      guard let count = integer(UInt32.self), bytes.count >= Int(count) else { return nil }
      defer { bytes = bytes.dropFirst(Int(count)) }
      return String(validating: bytes.prefix(Int(count)), as: UTF8.self)
    }
  }
}

/// What a divert socket may ask of its host.
public struct SocketOptions: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// Diverted fragments as they are. divert(4), BUGS: reassembly "should probably be a settable socket option".
  public static let fragments = SocketOptions(rawValue: 1)
}

/// Bytes that are no control message.
public struct ControlMessageError: Error, Equatable, CustomStringConvertible {
  public var description: String { "what came over the control socket is no message of this version" }
}

extension [UInt8] {
  fileprivate mutating func append<Integer: FixedWidthInteger>(_ integer: Integer) {
    for shift in stride(from: Integer.bitWidth - 8, through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: integer >> Integer(shift)))
    }
  }

  fileprivate mutating func append(_ text: String) {
    append(UInt32(text.utf8.count))
    append(contentsOf: text.utf8)
  }
}
