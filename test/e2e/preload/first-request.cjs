/** Calls `act` when this process opens its first connection, before anything is sent. */
const { Socket } = require("node:net");

exports.onFirstRequest = (act) => {
  const { connect } = Socket.prototype;
  Socket.prototype.connect = function (...args) {
    Socket.prototype.connect = connect;
    act();
    return connect.apply(this, args);
  };
};
