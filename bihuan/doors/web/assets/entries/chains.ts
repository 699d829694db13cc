import "../styles/chains.css";
import { startChains } from "../islands/chains";

startChains();
