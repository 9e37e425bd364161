import Glibc
import Kernel

/// Whose connection it is, for limits by user. The superuser without privilege is a user like others.
struct ClientUser: Hashable {
  let number: UInt32
  let isPrivileged: Bool
}

/// How many connections there may be, so that no user keeps others, or the superuser, out, and descriptors are left for
/// ports and interfaces.
enum ClientLimits {
  static let connections = 1024
  static let unprivileged = 256
  static let ofUser = 64

  /// - Parameter users: Of the connections there are.
  /// - Returns: Why a further connection is refused; nil if it is not.
  static func refusal(of user: ClientUser, among users: some Collection<ClientUser>) -> SystemError? {
    let action = "connect to divertd"
    if users.count >= connections {
      return SystemError(action, code: EUSERS, advice: "all \(connections) connections are in use")
    }
    guard !user.isPrivileged else { return nil }
    if users.count(where: { $0 == user }) >= ofUser {
      return SystemError(
        action, code: EUSERS, advice: "close some of the \(ofUser) connections of user \(user.number)")
    }
    guard users.count(where: { !$0.isPrivileged }) < unprivileged else {
      return SystemError(
        action, code: EUSERS, advice: "all \(unprivileged) connections for users without privilege are in use"
      )
    }
    return nil
  }
}
