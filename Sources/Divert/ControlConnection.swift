package import DivertWire
import Glibc
package import Kernel

/// A connection to divertd: one question, one answer, in turn.
package struct ControlConnection: ~Copyable, Sendable {
  package let descriptor: Descriptor
  private var received: [UInt8] = []
  private var receivedDescriptor: Descriptor?
  let path: String
  private let timeLimit: Duration
  /// Whether a question is without an answer: one that comes late would be taken for the next question's.
  private var hasFailed = false

  /// Where divertd listens unless it is told otherwise.
  package static let usualPath = "/run/divertd.sock"

  /// DIVERT_SOCKET from the environment, or the usual path.
  package static var path: String {
    guard let path = unsafe getenv("DIVERT_SOCKET") else { return usualPath }
    return unsafe String(cString: path)
  }

  /// How long divertd may take to answer what it does at once, and how often it has to show that it serves while it does
  /// what takes longer.
  package static let timeLimit = Duration.seconds(30)

  /// - Parameter path: Also the abstract name that is tried where there is nothing at the path, as in another root
  ///   directory.
  /// - Throws: `EACCES` where a process listens that belongs neither to the superuser nor to this user.
  package init(path: String, timeLimit: Duration = Self.timeLimit) throws(SystemError) {
    (self.path, self.timeLimit) = (path, timeLimit)
    descriptor = try Self.connect(to: path, timeLimit)
  }

  private static func connect(to path: String, _ limit: Duration) throws(SystemError) -> Descriptor {
    do throws(SystemError) {
      return try trusted(try UnixSocket.connect(to: path, timeLimit: limit), path)
    } catch {
      if error.code == EAGAIN { throw noAnswer(error.action, from: nil) }
      guard error.code == ENOENT || error.code == ECONNREFUSED else { throw error }
      if let descriptor = try? UnixSocket.connect(to: path, isAbstract: true, timeLimit: limit),
        let trusted = try? trusted(descriptor, path)
      {
        return trusted
      }
      throw SystemError(
        "reach divertd at \(path)", code: error.code,
        advice: "start divertd, or say with DIVERT_SOCKET or --socket where it listens")
    }
  }

  /// Anybody may take an abstract name that is free, and a path in a directory of others: nothing is said, and nothing
  /// believed, before it is sure whose process listens.
  private static func trusted(
    _ descriptor: consuming Descriptor, _ path: String
  ) throws(SystemError) -> Descriptor {
    let peer = try Peer(of: descriptor)
    guard peer.isTrusted else {
      throw SystemError(
        "reach divertd at \(path)", code: EACCES,
        advice:
          "user \(peer.user) listens there, not the superuser of this user namespace; name divertd's place with DIVERT_SOCKET"
      )
    }
    return descriptor
  }

  /// Sends a message and waits for the answer: for what divertd does at once, as long as ``timeLimit``; for changes of
  /// rules, as long as divertd serves others.
  ///
  /// - Throws: `ETIMEDOUT` where divertd does not answer.
  package mutating func ask(
    _ message: ControlMessage, descriptor sent: CInt? = nil
  ) throws(SystemError) -> ControlMessage {
    if hasFailed {
      throw SystemError("ask divertd", code: ENOTCONN, advice: "an earlier question got no answer")
    }
    hasFailed = true
    let answer = try exchange(message, sent)
    hasFailed = false
    if case .failed(let code, let text) = answer { throw SystemError(answered: text, code: code) }
    return answer
  }

  private mutating func exchange(
    _ message: ControlMessage, _ sent: CInt?
  ) throws(SystemError) -> ControlMessage {
    do throws(SystemError) {
      try UnixSocket.send(message.bytes, descriptor: sent, on: descriptor)
    } catch {
      if error.code == EAGAIN { throw Self.noAnswer("write to divertd", from: try? Peer(of: descriptor)) }
      // divertd may have said why it has hung up.
      guard error.code == EPIPE || error.code == ECONNRESET else { throw error }
    }
    while true {
      do throws(ControlMessageError) {
        if let answer = try ControlMessage.next(from: &received) { return answer }
      } catch {
        throw Self.misunderstanding
      }
      try receive(whileServing: message.mayTakeLong)
    }
  }

  private mutating func receive(whileServing: Bool) throws(SystemError) {
    do throws(SystemError) {
      let receipt = try UnixSocket.receive(atMost: 1 << 16, on: descriptor.number)
      for number in receipt.descriptors {
        let new = Descriptor(owning: number)
        // An answer has one descriptor at most.
        guard receivedDescriptor == nil, receipt.descriptors.count == 1 else { throw Self.misunderstanding }
        receivedDescriptor = consume new
      }
      if receipt.hasLostDescriptors { throw SystemError("receive a descriptor from divertd", code: EMFILE) }
      guard !receipt.bytes.isEmpty else { throw SystemError("receive divertd's answer", code: ECONNRESET) }
      received += receipt.bytes
    } catch {
      switch error.code {
      case EAGAIN:
        guard whileServing, isServing else {
          throw Self.noAnswer("receive divertd's answer", from: try? Peer(of: descriptor))
        }
      case ECONNRESET:
        throw SystemError(error.action, code: ECONNRESET, advice: "divertd has ended; start it again")
      default: throw error
      }
    }
  }

  /// Whether divertd answers at all, to a question that it answers to everybody and at once.
  private var isServing: Bool {
    guard var other = try? ControlConnection(path: path, timeLimit: timeLimit) else { return false }
    do throws(SystemError) { _ = try other.ask(.counts) } catch { return error.code == EBADF }
    return true
  }

  private static var misunderstanding: SystemError {
    SystemError("understand divertd", code: EPROTO, advice: "is it of another version than this program?")
  }

  private static func noAnswer(_ action: String, from peer: Peer?) -> SystemError {
    let process = peer.map { " (process \($0.processIdentifier))" } ?? ""
    return SystemError(action, code: ETIMEDOUT, advice: "is divertd\(process) stopped? SIGCONT lets it go on")
  }

  /// The descriptor that came with the last answer.
  package mutating func takeDescriptor() -> Descriptor? { receivedDescriptor.take() }
}

extension ControlMessage {
  /// Whether divertd does it beside what it does for others: rules may take minutes.
  fileprivate var mayTakeLong: Bool {
    switch self {
    case .ipfw, .policy: true
    case .open, .bind, .counts, .options, .statistics, .release: false
    case .opened, .bound, .counted, .done, .told, .result, .failed: false
    }
  }
}

extension SystemError {
  /// What divertd said: its text names action and advice, separated as in ``description``.
  fileprivate init(answered text: String, code: Int32) {
    let parts = text.split(separator: "; ", maxSplits: 1)
    self.init(
      String(parts.first ?? "ask divertd"), code: code, advice: parts.count > 1 ? String(parts[1]) : nil)
  }
}
